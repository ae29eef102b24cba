"""The drill of a rotation: the password of a canary login is changed at the source, and nowhere else.

What the platform does by itself is timed: until the Secret has the new value, until the service accepts it,
until the old one is refused. The service is PostgreSQL or one that speaks HTTP; where the profile names none,
the arrival in the Secret and in the pods that take it is timed. No rollback: the rotated credential stays.
"""

from __future__ import annotations

import base64
import binascii
import math
import secrets
from dataclasses import dataclass, replace
from typing import Protocol

from assay.config.profile import Profile
from assay.drills.engine.clock import now
from assay.drills.permission import permit
from assay.drills.pod_values import PodReader, PodValue, values_in
from assay.drills.specs import ROTATION
from assay.errors import AssumptionError, ProbeError
from assay.model import Attempt
from assay.origins.secret_holders import running_pods
from assay.polling import poll
from assay.probes.kube.client import Kube
from assay.probes.kube.paths import one
from assay.probes.net.login import HttpLogin
from assay.probes.postgres import WRONG, Postgres
from assay.probes.vault.client import VaultConnection
from assay.writers.vault import drill_connection


LOOK_PERIOD_S = 2.0


class LoginService(Protocol):
    """A service that lets a login in or does not."""

    @property
    def refusal(self) -> str:
        """Return what every refusal of a wrong password says."""

    def login(self, user: str, password: str, /) -> Attempt:
        """Return whether the service lets `user` in with this password."""


@dataclass(frozen=True, slots=True)
class RotationResult:
    """What became of a rotation; times are seconds from the new value at the source, None: not in time.

    Attributes:
        delivered: the Secret has the new value.
        used: the service lets the new value in.
        dead: the service refuses the old one.
        new: the last try with the new value that ended in time.
        old: the same with the old one.
        refusal: what a refusal says; empty: no service was asked, `used` and `dead` say nothing.
        pods: without a service: where running pods hold it, each place once.
        stale: those of them with another value than the new one.
        blind: those of them that cannot be looked into.
    """

    delivered: float | None
    used: float | None
    dead: float | None
    new: Attempt
    old: Attempt
    refusal: str = WRONG
    pods: tuple[PodValue, ...] = ()
    stale: tuple[PodValue, ...] = ()
    blind: tuple[PodValue, ...] = ()

    @property
    def took(self) -> float:
        """Return the seconds until all of it was so, infinity where it was not in time."""
        known = (self.delivered, self.used, self.dead) if self.refusal else (self.delivered,)
        return max(math.inf if after is None else after for after in known)

    @property
    def times(self) -> dict[str, str]:
        """Return the three times in words."""
        known = {"Secret": self.delivered}
        if self.refusal:
            known |= {"new value in use": self.used, "old value refused": self.dead}
        return {
            what: "not in time" if after is None else f"after {after:.0f} s" for what, after in known.items()
        }


class RotationDrill:
    """Rotations of one login on the stack of one profile."""

    def __init__(
        self,
        kube: Kube,
        vault: VaultConnection,
        service: LoginService | None,
        mount: str,
        key: str = "password",
        inside: PodReader | None = None,
    ) -> None:
        """Change `key` in the KV mount `mount` by `vault`.

        Try logins at `service`, where there is one; else look into pods by `inside`.
        """
        self._inside = inside
        self._kube, self._vault, self._service, self._mount, self._key = kube, vault, service, mount, key

    @classmethod
    def from_profile(cls, profile: Profile) -> RotationDrill:
        """Return the drill for the stack of `profile`.

        Raises:
            GuardError: the stack may not be drilled.
            ProbeError: the profile lacks what the drill needs.
        """
        permit(profile, ROTATION)
        vault, key = drill_connection(profile), profile.platform.rotation.canary_key
        service = _service(profile)
        inside = None if service else PodReader.from_profile(profile)
        return cls(Kube.from_profile(profile), vault, service, profile.vault.mount, key, inside)

    def turn(self, path: str, secret: str, within: float) -> RotationResult:
        """Give the login at `path` another password, and return what became of it `within` seconds.

        Args:
            path: of the source, with the key that is changed, and `username` for PostgreSQL.
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
        user, before, after = entry.get("username", ""), entry[self._key], secrets.token_urlsafe(24)

        def in_use() -> bool:
            here = self._password(secret) == before
            return here and (self._service is None or self._service.login(user, before).admitted)

        if not poll(in_use, within, LOOK_PERIOD_S):
            said = f"{path}: its password is not in use before the rotation, nor came to be in {within:.0f} s"
            raise AssumptionError(said, "fix the login first")
        body = {"options": {"cas": version}, "data": {**entry, self._key: after}}
        self._vault.need("post", f"{self._mount}/data/{path}", body)
        turned = self._watched(user, before, after, secret, within)
        if self._inside is None or turned.delivered is None:
            return turned
        return self._within_pods(turned, self._inside, secret, after, within - turned.delivered)

    def _within_pods(
        self, turned: RotationResult, inside: PodReader, secret: str, after: str, left: float
    ) -> RotationResult:
        """Look into the pods that take the Secret until all hold the new value, for `left` seconds."""

        def looked() -> RotationResult:
            places = values_in(running_pods(self._kube), secret, self._key)
            held = {place: inside.value(place) for place in places}
            blind = tuple(place for place, value in held.items() if value is None)
            stale = tuple(place for place, value in held.items() if value not in (None, after))
            return replace(turned, pods=tuple(places), stale=stale, blind=blind)

        found = looked()

        def settled() -> bool:
            nonlocal found
            found = looked()
            return not (found.stale or found.blind)

        if found.stale or found.blind:
            poll(settled, left, LOOK_PERIOD_S)
        return found

    def _entry(self, path: str) -> tuple[dict[str, str], int]:
        """Return the login at `path`, and its version: what another writes after it is not overwritten."""
        said = self._vault.need("get", f"{self._mount}/data/{path}")["data"]
        entry = dict(said["data"] or {})
        nameless = self._service is None or isinstance(self._service, HttpLogin)
        needed = (self._key,) if nameless else ("username", self._key)
        if lacking := [key for key in needed if not (isinstance(entry.get(key), str) and entry[key])]:
            raise ProbeError(f"{path}: lacks a {' and a '.join(lacking)}", "write it at the source")
        return entry, int(said["metadata"]["version"])

    def _watched(self, user: str, before: str, after: str, secret: str, within: float) -> RotationResult:
        begun, times = now(), dict[str, float]()
        new = old = Attempt(f"Login {user}", admitted=False, reason="no try ended in time")

        def decided() -> bool:
            nonlocal new, old
            held, at = self._password(secret), self._service
            tries = (at.login(user, after), at.login(user, before)) if at else (new, old)
            moment = now() - begun
            if moment > within:
                return True
            new, old = tries
            states = {"delivered": held == after}
            if at:
                states |= {"used": new.admitted, "dead": not old.admitted}
            times.update({what: moment for what, holds in states.items() if holds} | times)
            return len(times) == len(states)

        poll(decided, within, LOOK_PERIOD_S)
        refusal = self._service.refusal if self._service else ""
        return RotationResult(times.get("delivered"), times.get("used"), times.get("dead"), new, old, refusal)

    def _password(self, secret: str) -> str:
        space, _, name = secret.partition("/")
        coded = (self._kube.wire.get(one("Secret", space, name)).get("data") or {}).get(self._key)
        if not coded:
            raise ProbeError(
                f"Secret {secret}: has no key {self._key}", "check [platform.rotation] in the profile"
            )
        try:
            return base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ProbeError(f"Secret {secret}: {self._key} is not text", "fix it at the source") from None


def _service(profile: Profile) -> LoginService | None:
    """Return where the login is tried, None where the profile names nothing."""
    if profile.platform.rotation.canary_login:
        return HttpLogin.from_profile(profile)
    return Postgres.from_profile(profile) if profile.sql.host else None
