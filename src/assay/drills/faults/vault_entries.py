"""The driver that removes a drill's own entries from the old Vault; a target is how their folders begin."""

from __future__ import annotations

from assay.config.profile import Profile
from assay.drills.engine.clock import answer_of, now
from assay.errors import GuardError
from assay.probes.vault.client import Vault
from assay.writers.vault import drill_connection


FOLDER = "assay-drill-"
REMOVED_TIMEOUT_S = 60.0


class VaultEntries:
    """Removes the entries below folders of drills."""

    def __init__(self, profile: Profile) -> None:
        """Remove them from the Vault of `profile`.

        Raises:
            ProbeError: the profile does not say where it is, or names no token.
        """
        self._old, self._profile = Vault.from_profile(profile), profile

    def inject(self, target: str) -> float:
        """Remove what an earlier drill left.

        Raises:
            GuardError: the target is not a folder of drills.
            ProbeError: Vault cannot be asked, or denies it.
        """
        self.ensure_undone(target)
        return now()

    def ensure_undone(self, target: str) -> None:
        """Remove the entries; errors as for `inject`."""
        if target != FOLDER:
            raise GuardError(f"{target} is not where drills write in Vault", "a newer release wrote that")
        # Right after a restore its leader may change: it is asked again for a while.
        answer_of(lambda: self._remove(target), REMOVED_TIMEOUT_S)

    def _remove(self, target: str) -> None:
        if left := self._left(target):
            vault = drill_connection(self._profile)
            for one in left:
                vault.need("delete", f"{self._old.mount}/metadata/{one}")

    def is_undone(self, target: str) -> bool:
        """Return whether no entry is left; errors as for `inject`."""
        return not self._left(target)

    def by_hand(self, target: str) -> str:
        """Return what to delete."""
        return f"vault kv metadata delete -mount={self._old.mount} for each entry below {target}*"

    def _left(self, target: str) -> list[str]:
        return [one for one in self._old.entries() if one.startswith(target)]
