"""The driver that takes the disks of control planes, and puts the old ones back where a restore failed.

An undo needs no restore to have worked: until etcd is well again on its new disks, the old ones are kept.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from assay.drills.clock import now
from assay.drills.fault import Launcher
from assay.drills.quorum import Quorum
from assay.errors import GuardError
from assay.probes.etcd import Etcd
from assay.probes.talos import Talos


if TYPE_CHECKING:
    from assay.profile import Profile

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
        quorum = Quorum(Talos.from_profile(profile), Etcd.from_profile(profile))
        return cls(Launcher(profile.need_text("drill.launcher")), quorum)

    def lose(self, target: str) -> float:
        """Take the disks of all nodes at once; return the time (of the drill's clock) it was in force.

        Raises:
            GuardError: the launcher failed, or a node still answers.
        """
        self._each("lose-disk", target)
        end = now()
        while any(self._quorum.answers(m) for m in self._quorum.machines if m.name in target.split(",")):
            if now() - end > GONE:
                raise GuardError("a node answers without its disk", "look at the launcher")
            time.sleep(0.2)
        return end

    def replace(self, target: str) -> None:
        """Start the nodes on empty disks.

        Raises:
            GuardError: the launcher failed.
        """
        self._each("start", target)

    def ensure_on(self, target: str) -> None:
        """Keep the new disks if etcd is well on all of them; else put the old ones back.

        Raises:
            GuardError: the launcher failed.
        """
        if self._quorum.holds():
            self._each("forget-disk", target)
        else:
            self._each("restore-disk", target)

    def observed(self, target: str) -> bool:
        """Return whether etcd has its quorum, after waiting for as long as that may take."""
        end = now() + PATIENCE
        while not self._quorum.holds():
            if now() > end:
                return False
            time.sleep(2.0)
        self._each("forget-disk", target)
        return True

    def _each(self, verb: str, target: str) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: self._launcher.do(verb, name), target.split(",")))
