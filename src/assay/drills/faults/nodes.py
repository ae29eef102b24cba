"""The driver that takes a control plane away, as by a power cut, and starts it again on its disks."""

from __future__ import annotations

from assay.config.profile import Profile
from assay.drills.engine.clock import now
from assay.drills.faults.launcher import Launcher
from assay.drills.faults.quorum import Quorum
from assay.polling import poll


PATIENCE = 90.0


class Nodes:
    """Loses and returns single control planes; a target is a node's name."""

    def __init__(self, launcher: Launcher, quorum: Quorum) -> None:
        """Act through `launcher`, look through `quorum`."""
        self._launcher, self._quorum = launcher, quorum

    @classmethod
    def from_profile(cls, profile: Profile) -> Nodes:
        """Return the driver for the lab of `profile`.

        Raises:
            ProbeError: the profile lacks the launcher or the nodes.
        """
        return cls(Launcher.from_profile(profile), Quorum.from_profile(profile))

    def inject(self, target: str) -> float:
        """Kill the node's first process, and so the node.

        Raises:
            GuardError: the launcher failed.
        """
        self._launcher.do("kill", target)
        return now()

    def ensure_undone(self, target: str) -> None:
        """Start the node on its old volumes.

        Raises:
            GuardError: the launcher failed.
        """
        self._launcher.do("start", target)

    def is_undone(self, target: str) -> bool:
        """Return whether the node answers, after waiting a while for it.

        Raises:
            ProbeError: it is no control plane of the profile.
        """
        node = self._quorum.machine(target)
        return poll(lambda: self._quorum.answers(node), PATIENCE)

    def by_hand(self, target: str) -> str:
        """Return the launcher's command that starts the node."""
        return self._launcher.line("start", target)
