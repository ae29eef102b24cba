"""The write side of Vault.

A lab's is written to with a root token from the escrowed shares, made for one use and revoked; any stack's by
drills, with a token for the paths that drills write.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import GuardError, ProbeError
from assay.formats.parsing import WRONG
from assay.probes.guard import Guard
from assay.probes.vault import facts
from assay.probes.vault.client import VaultConnection
from assay.probes.vault.trust import authority_of
from assay.writers.lab import require_lab


SHARES_FILE = "vault-unseal.json"


def shares_of(file: Path) -> tuple[str, ...]:
    """Return as many unseal shares as it takes, from the escrow folder's file.

    Raises:
        ProbeError: the file is not there or not complete.
    """
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        shares = tuple(str(share) for share in kept["shares"][: int(kept["threshold"])])
        whole = len(shares) == int(kept["threshold"]) > 0
    except (OSError, *WRONG) as why:
        raise ProbeError(f"{file.name}: {type(why).__name__}", "complete the escrow folder") from None
    if not whole:
        raise ProbeError(f"{file.name}: fewer shares than it takes", "complete the escrow folder")
    return shares


def drill_connection(profile: Profile) -> VaultConnection:
    """Return a connection to Vault with the token that writes what drills write, and nothing else.

    Raises:
        ProbeError: the profile says no member or no such token.
    """
    profile.need_text("vault.addresses")
    token = profile.need_path("vault.drill_token").read_text(encoding="utf-8").strip()
    entry = profile.vault.entry or profile.vault.addresses[0]
    return VaultConnection(entry, authority_of(profile), token, Guard(Effect.DISRUPTS))


class VaultWriter:
    """A lab's Vault, written to. The caller undoes what is done."""

    def __init__(
        self, addresses: tuple[str, ...], ca: Path | None, shares: tuple[str, ...], entry: str = ""
    ) -> None:
        """Write to the members at `addresses`; `shares` are as many as it takes."""
        self.addresses, self._ca, self._shares = addresses, ca, shares
        self._any = entry or addresses[0]

    @classmethod
    def from_profile(cls, profile: Profile) -> Self:
        """Return the write side for a lab.

        Raises:
            GuardError: the stack is not a lab.
            ProbeError: the profile says no member, or the escrow folder has no shares.
        """
        require_lab(profile)
        profile.need_text("vault.addresses")
        shares = shares_of(profile.need_path("escrow.folder") / SHARES_FILE)
        return cls(profile.vault.addresses, authority_of(profile), shares, profile.vault.entry)

    def connection(self, token: str = "", address: str = "") -> VaultConnection:
        """Return a connection to one member, or to any, with a token."""
        return VaultConnection(address or self._any, self._ca, token, Guard(Effect.WRITES))

    def unsealed(self, address: str) -> bool:
        """Unseal one member if it is sealed, and return whether it works now; one that is silent does not."""
        try:
            vault = self.connection(address=address)
            state = vault.need("get", "sys/seal-status")
            for share in self._shares if state["sealed"] and state["initialized"] else ():
                state = vault.need("put", "sys/unseal", {"key": share})
            return state["sealed"] is False
        except ProbeError:
            return False

    def code(self, address: str) -> int:
        """Return the status of one member's sys/health, 0 where it does not answer."""
        try:
            return self.connection(address=address).ask("get", "sys/health").status
        except ProbeError:
            return 0

    def standby(self) -> str:
        """Return the address of a standby.

        Raises:
            GuardError: there is none.
        """
        for address in reversed(self.addresses):
            if self.code(address) in (429, 473):
                return address
        raise GuardError("Vault has no standby, nothing planted", "unseal its members")

    def healthy(self) -> bool:
        """Return whether the storage cluster's leader calls every one of its members healthy."""
        with self.root() as vault:
            state = facts.autopilot(vault.need("get", "sys/storage/raft/autopilot/state"))
        return state.healthy and not state.unhealthy

    def make_root(self) -> str:
        """Return a new root token, made from the shares as an operator in need would.

        Raises:
            ProbeError: Vault refuses.
        """
        vault = self.connection()
        vault.need("delete", "sys/generate-root/attempt")
        started = vault.need("put", "sys/generate-root/attempt", {})
        said: Mapping[str, Any] = {}
        for share in self._shares:
            said = vault.need("put", "sys/generate-root/update", {"key": share, "nonce": started["nonce"]})
        return unmasked(str(said["encoded_root_token"]), str(started["otp"]))

    def revoke(self, token: str) -> None:
        """End a token by itself."""
        self.connection(token).need("post", "auth/token/revoke-self")

    @contextmanager
    def root(self) -> Iterator[VaultConnection]:
        """Yield a connection with a root token that is revoked on the way out."""
        token = self.make_root()
        try:
            yield self.connection(token)
        finally:
            self.revoke(token)

    @contextmanager
    def written(self, path: str, content: Mapping[str, object]) -> Iterator[None]:
        """Write `content` to `path` for a while; what was there before comes back, or nothing.

        Raises:
            ProbeError: Vault refuses.
        """
        with self.root() as vault:
            before = vault.ask("get", path)
            vault.need("put", path, content)
        try:
            yield
        finally:
            with self.root() as vault:
                if before.status == 404:
                    vault.need("delete", path)
                else:
                    vault.need("put", path, before.body["data"])


def unmasked(encoded: str, otp: str) -> str:
    """Return the root token that Vault handed out xored with a one-time password.

    Raises:
        ProbeError: the two do not belong together.
    """
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        return bytes(a ^ b for a, b in zip(raw, otp.encode(), strict=True)).decode("ascii")
    except ValueError:
        raise ProbeError("the generated root token cannot be read", "generate it again") from None
