"""The driver of restores beside the old service: it sees that nothing of one is there, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.drills.clock import now
from assay.errors import GuardError


if TYPE_CHECKING:
    from assay.drills.beside import Beside
    from assay.profile import Profile


class Scratch:
    """Sweeps the scratch place of a restore; a target is the service's name."""

    def __init__(self, profile: Profile) -> None:
        """Sweep in the lab of `profile`."""
        self._profile = profile

    def inject(self, target: str) -> float:
        """Make room: take away what an earlier restore left.

        Raises:
            GuardError: it does not go away, or no such service is restored beside.
            ProbeError: the cluster cannot be asked.
        """
        self._restore(target).sweep()
        return now()

    def ensure_undone(self, target: str) -> None:
        """Take the restored service away; errors as for `inject`."""
        self._restore(target).sweep()

    def is_undone(self, target: str) -> bool:
        """Return whether its namespace is gone; errors as for `inject`."""
        return self._restore(target).swept()

    def by_hand(self, target: str) -> str:
        """Return the command that deletes the scratch namespace; errors as for `inject`."""
        return f"kubectl delete namespace {self._restore(target).place.space}"

    def _restore(self, target: str) -> Beside:
        from assay.drills.restore_postgres import PostgresRestore
        from assay.drills.restore_vault import VaultRestore

        for known in (PostgresRestore, VaultRestore):
            if known.place.service == target:
                return known(self._profile, self._profile.need_path("paths.runbook"))
        raise GuardError(f"{target} is not restored beside the old one", "assay drill plan lists the drills")
