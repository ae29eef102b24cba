"""The drill of a rotation: a canary's password becomes another one at the source, and nowhere else.

What the platform does by itself is timed: until the Secret has the new value, until the service lets it in,
until the old one is refused. Nothing is put back: a rotated canary is as good as the one before.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.drills.clock import now
from assay.drills.engine import guard_kind
from assay.errors import AssumptionError, ProbeError
from assay.model import Attempt
from assay.probes.kube import Kube
from assay.probes.kube_paths import one
from assay.probes.sql import Sql
from assay.probes.vault_write import VaultWriter


if TYPE_CHECKING:
    from assay.profile import Profile

EVERY = 2.0


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a rotation; times are seconds from the new value at the source, None: not in time.

    Attributes:
        delivered: the Secret has the new value.
        used: the service lets the new value in.
        dead: the service refuses the old one.
        new: the last try with the new value.
        old: the last try with the old one.
    """

    delivered: float | None
    used: float | None
    dead: float | None
    new: Attempt
    old: Attempt

    @property
    def times(self) -> dict[str, str]:
        """Return the three times in words."""
        known = {"Secret": self.delivered, "new value in use": self.used, "old value refused": self.dead}
        return {
            what: "not in time" if after is None else f"after {after:.0f} s" for what, after in known.items()
        }


class RotationDrill:
    """Rotations of one login on the lab of one profile."""

    def __init__(self, kube: Kube, vault: VaultWriter, sql: Sql, mount: str) -> None:
        """Rotate in the KV mount `mount` of `vault`; try logins with `sql`."""
        self._kube, self._vault, self._sql, self._mount = kube, vault, sql, mount

    @classmethod
    def from_profile(cls, profile: Profile) -> RotationDrill:
        """Return the drill for the lab of `profile`.

        Raises:
            GuardError: the stack is no lab.
            ProbeError: the profile lacks what the drill needs.
        """
        guard_kind(profile)
        writer = VaultWriter.from_profile(profile)
        return cls(Kube.from_profile(profile), writer, Sql.from_profile(profile), profile.vault.mount)

    def turn(self, path: str, secret: str, within: float) -> Turned:
        """Give the login at `path` another password, and return what became of it `within` seconds.

        Args:
            path: of the source, with `username` and `password`.
            secret: `namespace/name` of the Secret that is made of it.
            within: seconds.

        Raises:
            GuardError: another cluster than is meant.
            AssumptionError: the password was not in use before.
            ProbeError: the source, the Secret or the service cannot be asked.
        """
        self._kube.check_cluster()
        space, _, name = secret.partition("/")
        with self._vault.root() as door:
            entry = dict(door.need("get", f"{self._mount}/data/{path}")["data"]["data"])
            before, after = str(entry["password"]), secrets.token_urlsafe(24)
            if not self._sql.login(entry["username"], before).admitted:
                raise AssumptionError(
                    f"{path}: its password is not in use before the rotation", "mend the login first"
                )
            door.need("post", f"{self._mount}/data/{path}", {"data": {**entry, "password": after}})
        return self._watched(str(entry["username"]), before, after, (space, name), within)

    def _watched(self, user: str, before: str, after: str, secret: tuple[str, str], within: float) -> Turned:
        begun, seen = now(), dict[str, float]()
        while True:
            if "delivered" not in seen and self._password(*secret) == after:
                seen["delivered"] = now() - begun
            new, old = self._sql.login(user, after), self._sql.login(user, before)
            for what, holds in (("used", new.admitted), ("dead", not old.admitted)):
                if holds:
                    seen.setdefault(what, now() - begun)
            if len(seen) == 3 or now() - begun > within:
                return Turned(seen.get("delivered"), seen.get("used"), seen.get("dead"), new, old)
            time.sleep(EVERY)

    def _password(self, space: str, name: str) -> str:
        coded = self._kube.wire.get(one("Secret", space, name)).get("data", {}).get("password", "")
        try:
            return base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ProbeError(f"Secret {space}/{name}: password is no text", "mend its source") from None
