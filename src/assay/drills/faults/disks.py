"""The driver that takes the disks of control planes, and puts the old ones back where a restore failed.

An undo needs no restore to have worked: until etcd is well again on its new disks, the old ones are kept.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from assay.config.profile import Profile
from assay.drills.engine.clock import now
from assay.drills.faults.launcher import Launcher
from assay.drills.faults.quorum import Quorum
from assay.errors import GuardError
from assay.polling import poll


PATIENCE = 420.0
GONE = 30.0


class Disks:
    """Loses and returns the disks of nodes together; a target is their names, joined by commas."""

    def __init__(self, launcher: Launcher, quorum: Quorum) -> None:
        """Act through `launcher`, look through `quorum`."""
        self._launcher, self._quorum = launcher, quorum

    @classmethod
    def from_profile(cls, profile: Profile) -> Disks:
        """Return the driver for the lab of `profile`.

        Raises:
            ProbeError: the profile lacks the launcher or the nodes.
        """
        return cls(Launcher.from_profile(profile), Quorum.from_profile(profile))

    def inject(self, target: str) -> float:
        """Take the disks of all nodes at once; return the time (of the drill's clock) it was in force.

        Raises:
            GuardError: the launcher failed, or a node still answers.
        """
        self._each("lose-disk", target)
        moment = now()
        lost = [one for one in self._quorum.machines if one.name in target.split(",")]
        if not poll(lambda: not any(map(self._quorum.answers, lost)), GONE, every_s=0.2):
            raise GuardError("a node answers without its disk", "look at the launcher")
        return moment

    def replace(self, target: str) -> None:
        """Start the nodes on empty disks.

        Raises:
            GuardError: the launcher failed.
        """
        self._each("start", target)

    def ensure_undone(self, target: str) -> None:
        """Keep the new disks if etcd is well on all of them; else put the old ones back.

        Raises:
            GuardError: the launcher failed.
        """
        if self._quorum.holds():
            self._each("forget-disk", target)
        else:
            self._each("restore-disk", target)

    def is_undone(self, target: str) -> bool:
        """Return whether etcd has its quorum, after waiting for as long as that may take."""
        if not poll(self._quorum.holds, PATIENCE, every_s=2.0):
            return False
        self._each("forget-disk", target)
        return True

    def by_hand(self, target: str) -> str:
        """Return the launcher's commands that put the old disks back."""
        return "; ".join(self._launcher.line("restore-disk", name) for name in target.split(","))

    def _each(self, verb: str, target: str) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: self._launcher.do(verb, name), target.split(",")))
