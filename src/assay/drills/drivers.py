"""What can change a stack and put it back: the drivers, known by the name that a journal keeps."""

from __future__ import annotations

from typing import Protocol

from assay.config.profile import Profile
from assay.errors import GuardError


NODE, DISKS, SCRATCH, ENTRIES = "node", "disks", "scratch-namespace", "vault-entries"


class Driver(Protocol):
    """Changes and puts back targets of one kind. Putting back may be repeated; what is well is left alone."""

    def inject(self, target: str, /) -> float:
        """Change the target and return the time (of the drill's clock) at which that was in force."""

    def ensure_undone(self, target: str, /) -> None:
        """Put the target back, whether it was changed or not."""

    def is_undone(self, target: str, /) -> bool:
        """Return whether the target is seen to be back, after waiting for as long as that may take."""

    def by_hand(self, target: str, /) -> str:
        """Return the command with which a person puts it back."""


# A driver's clients are imported where it is asked for: the command line knows drills without them.


def driver_of(profile: Profile, name: str) -> Driver:
    """Return the driver called `name` for the stack of `profile`.

    Raises:
        GuardError: there is none of that name.
        ProbeError: the profile lacks what it needs.
    """
    if name == NODE:
        from assay.drills.faults.nodes import Nodes

        return Nodes.from_profile(profile)
    if name == DISKS:
        from assay.drills.faults.nodes import Disks

        return Disks.from_profile(profile)
    if name == SCRATCH:
        from assay.drills.faults.scratch import ScratchNamespaces

        return ScratchNamespaces(profile)
    if name == ENTRIES:
        from assay.drills.faults.vault_entries import VaultEntries

        return VaultEntries(profile)
    raise GuardError(f"{name} is not a driver of a drill", "a newer release wrote the journal: use that one")
