"""What restores into a scratch namespace have in common: the namespace, the images, how a step failed.

The old service is left running and is not used from the fault on. The namespace is gone before and after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from assay.config.profile import Profile
from assay.drills.drivers import SCRATCH
from assay.drills.engine.engine import Engine
from assay.drills.faults.scratch import ScratchTarget
from assay.drills.restore.drill import RestoreDrill
from assay.drills.restore.inputs import pin, released
from assay.drills.restore.procedure import HopelessError, StepError
from assay.drills.restore.sandbox import Sandbox
from assay.errors import ProbeError
from assay.formats.tools import is_disk_full
from assay.model import Offender


ENDED = re.compile(r"\b(Error|Failed|Evicted|OOMKilled|Completed|CrashLoopBackOff|ContainerStatusUnknown)\b")
# A pod is evicted for want of room: of memory, of disk, or of its own volume.
EVICTED = ("exceeds the limit", "evicted")


class ScratchRestore(RestoreDrill):
    """A restore of one service into a scratch namespace."""

    target: ScratchTarget
    tools = ("talosctl", "kubectl", "rclone", "openssl")

    def __init__(self, profile: Profile, runbook: Path) -> None:
        """Carry out the section of `runbook`; errors as for RestoreDrill."""
        super().__init__(profile, runbook)
        overlay = profile.need_path("paths.overlay")
        self._images = released(overlay, self.service, *self.target.parts)

    @contextmanager
    def _sandbox(self) -> Iterator[Sandbox]:
        """Open the sandbox, the images of this stack pinned in its copy of Git."""
        with self._inputs.open_sandbox(self._folder) as sandbox:
            overlay = sandbox.git / "gitops" / "overlays" / self._profile.name
            pin(overlay / f"restore-{self.service}", self._images)
            yield sandbox

    def _scratch(self, engine: Engine) -> AbstractContextManager[float]:
        """Be sure that nothing of a restore is there, before and after, however the drill ends."""
        return engine.acting(SCRATCH, self.service)

    def _offender(self, failed: StepError) -> Offender:
        """Return what to name for a step that failed.

        Raises:
            ProbeError: there was no room: that says nothing about the backup.
        """
        if is_disk_full(failed.why) or any(word in failed.why.lower() for word in EVICTED):
            raise ProbeError(f"no room for the restore: {failed.why}", "make room on the node, restore again")
        return Offender(self.target.ref if isinstance(failed, HopelessError) else failed.ref, failed.why)


def ready(table: str) -> bool:
    """Return whether `kubectl get pod` shows the pod ready, all of its containers."""
    shown = [line.split()[1:2] for line in table.splitlines()[1:]]
    return any(re.fullmatch(r"([1-9]\d*)/\1", word) for words in shown for word in words)


def ended(table: str) -> str:
    """Return how a pod ended that will not be ready any more, empty while it may."""
    found = [ENDED.search(line) for line in table.splitlines()[1:]]
    return next((f"the server's pod is {one.group()}" for one in found if one), "")
