"""The drivers of nodes: one cuts a control plane's power, one takes the disks of several together.

Both act through the launcher and look through etcd and Talos.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Self

from assay.config.drill_access import DrillAccess
from assay.config.profile import Profile
from assay.drills.engine.clock import now
from assay.drills.faults.launcher import Launcher
from assay.drills.faults.quorum import Quorum
from assay.errors import GuardError
from assay.polling import poll


class NodeDriver:
    """What both drivers are made of."""

    def __init__(self, launcher: Launcher, quorum: Quorum, times: DrillAccess) -> None:
        """Act through `launcher`, look through `quorum`, and wait as long as `times` says."""
        self._launcher, self._quorum, self._times = launcher, quorum, times

    @classmethod
    def from_profile(cls, profile: Profile) -> Self:
        """Return the driver for the stack of `profile`.

        Raises:
            ProbeError: the profile lacks the launcher or the nodes.
        """
        return cls(Launcher.from_profile(profile), Quorum.from_profile(profile), profile.drill)


class Nodes(NodeDriver):
    """Cuts the power of single control planes and starts them on their disks; a target is a node's name."""

    def inject(self, target: str) -> float:
        """Cut the node's power; return the time (of the drill's clock) it was in force.

        Raises:
            GuardError: the launcher failed.
        """
        self._launcher.do("kill", target)
        return now()

    def ensure_undone(self, target: str) -> None:
        """Start the node on its old disks.

        Raises:
            GuardError: the launcher failed.
        """
        self._launcher.do("start", target)

    def is_undone(self, target: str) -> bool:
        """Return whether the node answers, after waiting for as long as a boot may take.

        Raises:
            ProbeError: it is not a control plane of the profile.
        """
        node = self._quorum.machine(target)
        return poll(lambda: self._quorum.answers(node), self._times.boot_s)

    def by_hand(self, target: str) -> str:
        """Return the launcher's command that starts the node."""
        return self._launcher.line("start", target)


class Disks(NodeDriver):
    """Takes and returns the disks of nodes together; a target is their names, joined by commas.

    The old disks are kept until etcd is well again on the new ones: no undo needs a restore that worked.
    """

    def inject(self, target: str) -> float:
        """Take the disks of all nodes at once; return the time (of the drill's clock) it was in force.

        Raises:
            GuardError: the launcher failed, or a node still answers.
        """
        self._each("lose-disk", target)
        moment = now()
        lost = [one for one in self._quorum.machines if one.name in target.split(",")]
        if not poll(lambda: not any(map(self._quorum.answers, lost)), self._times.gone_s, every_s=0.2):
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
        self._each("forget-disk" if self._quorum.holds() else "restore-disk", target)

    def is_undone(self, target: str) -> bool:
        """Return whether etcd has its quorum, after waiting for as long as that may take."""
        if not poll(self._quorum.holds, self._times.rejoin_s, every_s=2.0):
            return False
        self._each("forget-disk", target)
        return True

    def by_hand(self, target: str) -> str:
        """Return the launcher's commands that put the old disks back."""
        return "; ".join(self._launcher.line("restore-disk", name) for name in target.split(","))

    def _each(self, verb: str, target: str) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: self._launcher.do(verb, name), target.split(",")))
