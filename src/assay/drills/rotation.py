"""The drill of a rotation: the password of a canary login is changed at the source, and nowhere else.

What the platform does by itself is timed: until the Secret has the new value, until the service accepts it,
until the old one is refused. No rollback: the rotated credential stays.
"""

from __future__ import annotations

import base64
import binascii
import math
import secrets
from dataclasses import dataclass

from assay.config.profile import Profile
from assay.drills.engine.clock import now
from assay.drills.permission import permit
from assay.drills.specs import ROTATION
from assay.errors import AssumptionError, ProbeError
from assay.model import Attempt
from assay.polling import poll
from assay.probes.kube.client import Kube
from assay.probes.kube.paths import one
from assay.probes.postgres import Postgres
from assay.probes.vault.client import VaultConnection
from assay.writers.vault import drill_connection


LOOK_PERIOD_S = 2.0


@dataclass(frozen=True, slots=True)
class RotationResult:
    """What became of a rotation; times are seconds from the new value at the source, None: not in time.

    Attributes:
        delivered: the Secret has the new value.
        used: the service lets the new value in.
        dead: the service refuses the old one.
        new: the last try with the new value that ended in time.
        old: the same with the old one.
    """

    delivered: float | None
    used: float | None
    dead: float | None
    new: Attempt
    old: Attempt

    @property
    def took(self) -> float:
        """Return the seconds until all of it was so, infinity where it was not in time."""
        known = (self.delivered, self.used, self.dead)
        return max(math.inf if after is None else after for after in known)

    @property
    def times(self) -> dict[str, str]:
        """Return the three times in words."""
        known = {"Secret": self.delivered, "new value in use": self.used, "old value refused": self.dead}
        return {
            what: "not in time" if after is None else f"after {after:.0f} s" for what, after in known.items()
        }


class RotationDrill:
    """Rotations of one login on the stack of one profile."""

    def __init__(self, kube: Kube, vault: VaultConnection, sql: Postgres, mount: str) -> None:
        """Rotate in the KV mount `mount` by `vault`; try logins with `sql`."""
        self._kube, self._vault, self._sql, self._mount = kube, vault, sql, mount

    @classmethod
    def from_profile(cls, profile: Profile) -> RotationDrill:
        """Return the drill for the stack of `profile`.

        Raises:
            GuardError: the stack may not be drilled.
            ProbeError: the profile lacks what the drill needs.
        """
        permit(profile, ROTATION)
        vault, sql = drill_connection(profile), Postgres.from_profile(profile)
        return cls(Kube.from_profile(profile), vault, sql, profile.vault.mount)

    def turn(self, path: str, secret: str, within: float) -> RotationResult:
        """Give the login at `path` another password, and return what became of it `within` seconds.

        Args:
            path: of the source, with `username` and `password`.
            secret: `namespace/name` of the Secret that is made of it.
            within: seconds.

        Raises:
            GuardError: another cluster than is meant.
            AssumptionError: the password was not in use before, nor came to be `within` seconds.
            ProbeError: the source, the Secret or the service cannot be asked, is not a login, or was written
                meanwhile.
        """
        self._kube.check_cluster()
        entry, version = self._entry(path)
        user, before, after = entry["username"], entry["password"], secrets.token_urlsafe(24)

        def in_use() -> bool:
            return self._password(secret) == before and self._sql.login(user, before).admitted

        if not poll(in_use, within, LOOK_PERIOD_S):
            said = f"{path}: its password is not in use before the rotation, nor came to be in {within:.0f} s"
            raise AssumptionError(said, "fix the login first")
        body = {"options": {"cas": version}, "data": {**entry, "password": after}}
        self._vault.need("post", f"{self._mount}/data/{path}", body)
        return self._watched(user, before, after, secret, within)

    def _entry(self, path: str) -> tuple[dict[str, str], int]:
        """Return the login at `path`, and its version: what another writes after it is not overwritten."""
        said = self._vault.need("get", f"{self._mount}/data/{path}")["data"]
        entry = dict(said["data"] or {})
        if not all(isinstance(entry.get(key), str) and entry[key] for key in ("username", "password")):
            raise ProbeError(f"{path}: lacks a username or a password", "write both at the source")
        return entry, int(said["metadata"]["version"])

    def _watched(self, user: str, before: str, after: str, secret: str, within: float) -> RotationResult:
        begun, times = now(), dict[str, float]()
        new = old = Attempt(f"Login {user}", admitted=False, reason="no try ended in time")

        def decided() -> bool:
            nonlocal new, old
            held = self._password(secret)
            tries = self._sql.login(user, after), self._sql.login(user, before)
            moment = now() - begun
            if moment > within:
                return True
            new, old = tries
            states = {"delivered": held == after, "used": new.admitted, "dead": not old.admitted}
            times.update({what: moment for what, holds in states.items() if holds} | times)
            return len(times) == len(states)

        poll(decided, within, LOOK_PERIOD_S)
        return RotationResult(times.get("delivered"), times.get("used"), times.get("dead"), new, old)

    def _password(self, secret: str) -> str:
        space, _, name = secret.partition("/")
        coded = (self._kube.wire.get(one("Secret", space, name)).get("data") or {}).get("password")
        if not coded:
            raise ProbeError(
                f"Secret {secret}: has no key password", "name the canary's Secret in the policy"
            )
        try:
            return base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ProbeError(f"Secret {secret}: password is not text", "fix it at the source") from None
