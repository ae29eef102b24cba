"""A restore drill: the runbook's section, carried out word for word inside the sandbox, and measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from assay.config.platform import Service
from assay.config.profile import Profile
from assay.drills.engine.engine import Engine, armed
from assay.drills.engine.journal import folder_of
from assay.drills.engine.session_cache import cached_per_session
from assay.drills.restore.inputs import RestoreInputs
from assay.drills.restore.records import Records
from assay.drills.restore.result import Budgets, RestoreResult
from assay.drills.specs import DrillSpec
from assay.effect import Effect
from assay.errors import ProbeError
from assay.model import Offender
from assay.probes.kube.client import Kube
from assay.probes.runbook.reader import Runbook
from assay.probes.runbook.shell import Command


class RestoreDrill(ABC):
    """A restore of one service on the stack of one profile.

    Attributes:
        spec: what it is called, and what it does.
        service: what is restored.
        section: the runbook's heading.
        tools: the programs of the section, by their key under `[tools]`.
    """

    spec: DrillSpec
    tools: tuple[str, ...]

    def __init__(self, profile: Profile, runbook: Path, service: Service) -> None:
        """Carry out the section of `runbook` that restores `service`.

        Raises:
            ProbeError: the profile lacks what the drill needs.
        """
        self.service, self.section = service, service.section
        if not service.section:
            raise ProbeError(
                f"the profile does not say which section of the runbook restores {service.name}",
                f"set section of {service.name} under [[platform.services]] to its heading",
            )
        self._profile, self._kube = profile, Kube.from_profile(profile, Effect.DISRUPTS)
        self._inputs = RestoreInputs(profile, runbook, service, self.tools)
        self.runbook = Runbook(runbook, more=None, **self._inputs.binaries)
        self._budgets, self._folder = Budgets.from_profile(profile), folder_of(profile)
        # The sandbox watches the thread that opened it: what the suite looks at for itself runs on this one.
        self._unwatched = ThreadPoolExecutor(1)

    def result(self) -> RestoreResult:
        """Return the result of the drill; one run serves every control of a session.

        Raises:
            GuardError: a guard refused, or something could not be put back.
            ProbeError: something could not be read, or there was no room for the restore.
        """
        key = (self.spec.name, self.service.name, self._profile.file, self.runbook.path)
        return cached_per_session(key, self._drilled)

    def _drilled(self) -> RestoreResult:
        if mistakes := self._mistakes():
            return RestoreResult(None, tuple(mistakes))
        with armed(self._profile, self.spec) as engine:
            result = self._run(engine)
        result = replace(result, notes={**result.notes, "permission": engine.permission})
        if result.restore is not None:
            Records.from_profile(self._profile).add(result.restore)
        return result

    def _mistakes(self) -> Sequence[Offender]:
        """Return the lines of the section that would not work; with one of them nothing is changed."""
        return [Offender(one.ref, one.why) for one in self.runbook.mistakes(self.section)]

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """Return the commands of the section, read once: in the sandbox the runbook itself is out of reach.

        Raises:
            ProbeError: there is no such section.
        """
        return self.runbook.section(self.section)

    @property
    def ref(self) -> str:
        """Return `Restore service`: what is named where no line of the runbook is to blame."""
        return f"Restore {self.service.name}"

    @abstractmethod
    def _run(self, engine: Engine) -> RestoreResult:
        """Write a ledger until the fault, restore, and compare what came back with what was acknowledged."""
