"""What restores beside the old service have in common: a place of their own, the kit, how a step failed.

The old service is left running and not used from the fault on. The namespace is gone before and after.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from assay.config.profile import Profile
from assay.drills.drivers import SCRATCH
from assay.drills.engine.engine import Engine, armed, guard_kind
from assay.drills.engine.journal import folder_of
from assay.drills.engine.session_cache import cached_per_session
from assay.drills.faults.scratch import ScratchTarget
from assay.drills.restore.inputs import RestoreInputs, pin, released
from assay.drills.restore.procedure import HopelessError, StepError
from assay.drills.restore.records import Records
from assay.drills.restore.result import Budgets, Result
from assay.drills.restore.sandbox import Sandbox
from assay.errors import ProbeError
from assay.formats.tools import is_disk_full
from assay.model import Offender
from assay.probes.kube.client import Kube
from assay.probes.runbook.reader import Runbook


TOOLS = ("talosctl", "kubectl", "rclone", "openssl")
OVER = re.compile(r"\b(Error|Failed|Evicted|OOMKilled|Completed|CrashLoopBackOff|ContainerStatusUnknown)\b")
# A pod is evicted for want of room: of memory, of disk, or of its own volume.
EVICTED = ("exceeds the limit", "evicted")


class SideBySideRestore(ABC):
    """A restore of one service on the stack of one profile."""

    place: ScratchTarget

    def __init__(self, profile: Profile, runbook: Path) -> None:
        """Carry out the section of `runbook`.

        Raises:
            GuardError: the stack is no lab, or it is not said which cluster it is.
            ProbeError: the profile lacks what the drill needs.
        """
        guard_kind(profile)
        self._profile, self._kube = profile, Kube.from_profile(profile)
        self._kit = RestoreInputs(profile, runbook, self.place.service, TOOLS)
        self.runbook = Runbook(runbook, **self._kit.binaries)
        self._budgets, self._apart = Budgets.from_profile(profile), ThreadPoolExecutor(1)
        self._folder = folder_of(profile)
        overlay = profile.need_path("paths.overlay")
        self._images = released(overlay, self.place.service, *self.place.parts)

    def result(self) -> Result:
        """Return the result of the drill; one run serves every control of a session.

        Raises:
            GuardError: a guard refused, or the scratch namespace does not go away.
            ProbeError: something could not be read, or there was no room for the restore.
        """
        return cached_per_session((self.place.service, self._profile.file, self.runbook.path), self._drilled)

    def _drilled(self) -> Result:
        wrong = [Offender(one.ref, one.why) for one in self.runbook.mistakes(self.place.section)]
        if wrong:
            return Result(None, tuple(wrong))
        with armed(self._profile) as engine:
            result = self._run(engine)
        if result.restore is not None:
            Records.from_profile(self._profile).add(result.restore)
        return result

    @abstractmethod
    def _run(self, engine: Engine) -> Result:
        """Write a ledger until the fault, restore, compare; the scratch place is `_scratch(engine)`'s."""

    @contextmanager
    def _sealed(self) -> Iterator[Sandbox]:
        """Open the envelope, the images of this stack pinned in its copy of Git."""
        with self._kit.open_sandbox(self._folder) as envelope:
            overlay = envelope.git / "gitops" / "overlays" / self._profile.name
            pin(overlay / f"restore-{self.place.service}", self._images)
            yield envelope

    def _scratch(self, engine: Engine) -> AbstractContextManager[float]:
        """Be sure that nothing of a restore is there, before and after, whoever ends the drill."""
        return engine.acting(SCRATCH, self.place.service)

    def _offender(self, failed: StepError) -> Offender:
        """Return what to name for a step that failed.

        Raises:
            ProbeError: there was no room: that says nothing about the backup.
        """
        if is_disk_full(failed.why) or any(word in failed.why.lower() for word in EVICTED):
            raise ProbeError(f"no room for the restore: {failed.why}", "make room on the node, restore again")
        return Offender(self.place.ref if isinstance(failed, HopelessError) else failed.ref, failed.why)


def ready(table: str) -> bool:
    """Return whether `kubectl get pod` shows the pod ready, all of its containers."""
    shown = [line.split()[1:2] for line in table.splitlines()[1:]]
    return any(re.fullmatch(r"([1-9]\d*)/\1", word) for words in shown for word in words)


def over(table: str) -> str:
    """Return how a pod ended that will not be ready any more, empty while it may."""
    found = [OVER.search(line) for line in table.splitlines()[1:]]
    return next((f"the server's pod is {one.group()}" for one in found if one), "")
