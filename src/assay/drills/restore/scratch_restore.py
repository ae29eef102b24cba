"""What restores into a scratch namespace have in common: the namespace, the images, how a step failed.

The old service is left running and is not used from the fault on. The namespace is gone before and after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property

from assay.drills.drivers import SCRATCH
from assay.drills.engine.engine import Engine
from assay.drills.faults.scratch import LABEL, labelled
from assay.drills.restore.drill import RestoreDrill
from assay.drills.restore.inputs import CommandCursor, Values, pin, released
from assay.drills.restore.place import ScratchPlace, place_of
from assay.drills.restore.procedure import HopelessError, Procedure, StepError, Wait
from assay.errors import ProbeError
from assay.formats.tools import is_disk_full
from assay.model import Offender


ENDED = re.compile(r"\b(Error|Failed|Evicted|OOMKilled|Completed|CrashLoopBackOff|ContainerStatusUnknown)\b")
# A pod is evicted for want of room: of memory, of disk, or of its own volume.
EVICTED = ("exceeds the limit", "evicted")


class ScratchRestore(RestoreDrill):
    """A restore of one service into a scratch namespace."""

    tools = ("talosctl", "kubectl", "rclone", "openssl")

    @cached_property
    def place(self) -> ScratchPlace:
        """Return where the section restores.

        Raises:
            ProbeError: the section does not say.
        """
        return place_of(self.commands, self.section)

    def _mistakes(self) -> Sequence[Offender]:
        """Return the lines that would not work, or the one that restores into a namespace in use."""
        if found := super()._mistakes():
            return found
        space = f"/api/v1/namespaces/{self.place.namespace}"
        answer = self._kube.wire.ask("GET", space)
        if answer.status == 404 or labelled(self._kube.wire.need(answer, "GET", space).body):
            return []
        why = f'restores into Namespace {self.place.namespace}, which has no label {LABEL}: "true"'
        return [Offender(self.place.made.ref, why)]

    @contextmanager
    def _opened(
        self, waits: Mapping[str, Wait], more: Values, limit_s: float
    ) -> Iterator[tuple[Procedure, CommandCursor]]:
        """Yield the section's commands and what runs them in a sandbox, in whose Git the images are pinned.

        Raises:
            StepError: the section restores into a namespace that is not for restores.
        """
        overlay = self._profile.paths.overlay
        images = released(self._profile.need_path("paths.overlay")) if overlay else []
        with self._inputs.open_sandbox(self._folder) as sandbox:
            procedure = self._inputs.procedure(sandbox, waits, more, limit=limit_s)
            self.place.check(procedure)
            if images:
                pin(procedure.file(self.place.applied, self.place.overlay), images)
            yield procedure, CommandCursor(self.commands)

    def _scratch(self, engine: Engine) -> AbstractContextManager[float]:
        """Be sure that nothing of a restore is there, before and after, however the drill ends."""
        return engine.acting(SCRATCH, self.place.namespace)

    def _offender(self, failed: StepError) -> Offender:
        """Return what to name for a step that failed.

        Raises:
            ProbeError: there was no room: that says nothing about the backup.
        """
        if is_disk_full(failed.why) or any(word in failed.why.lower() for word in EVICTED):
            raise ProbeError(f"no room for the restore: {failed.why}", "make room on the node, restore again")
        return Offender(self.ref if isinstance(failed, HopelessError) else failed.ref, failed.why)


def ready(table: str) -> bool:
    """Return whether `kubectl get pod` shows the pod ready, all of its containers."""
    shown = [line.split()[1:2] for line in table.splitlines()[1:]]
    return any(re.fullmatch(r"([1-9]\d*)/\1", word) for words in shown for word in words)


def ended(table: str) -> str:
    """Return how a pod ended that will not be ready any more, empty while it may."""
    found = [ENDED.search(line) for line in table.splitlines()[1:]]
    return next((f"the server's pod is {one.group()}" for one in found if one), "")
