"""The state of a run: what is selected, on which stack, where the records go, what it comes to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.catalogue import Catalogue
from assay.config.profile import Profile
from assay.effect import RunLimits
from assay.errors import GuardError, ProbeError, ProfileError
from assay.model import Tier
from assay.probes.guard import SENT, RequestCounts
from assay.proof.left import left_plant, sweep_left
from assay.proof.plant import Plant
from assay.proof.violation import Violation
from assay.run.allowance import NOTHING, Allowance
from assay.run.detection import proof_code, proof_line, proof_lines, write_detections
from assay.run.entries import Aside, Closing, Judgement
from assay.run.evidence import EvidenceLog
from assay.run.gate import ControlRow, Selection, control_rows, exit_code, gate_line
from assay.run.identity import opening_of, stack_identity
from assay.run.options import RunOptions, say, utc_now
from assay.run.outcome import Outcome, case_outcome
from assay.run.past import Join, read_past_run
from assay.run.requests import merged
from assay.run.stack_lock import StackLock
from assay.run.summary import summary
from assay.run.views import write_views
from assay.run.waivers import waiver_findings, with_waivers
from assay.stack import ReadStack
from assay.writers.lab import is_marked, require_lab


LOCK_TIMEOUT_S = 900.0


@dataclass
class Session:
    """The state of a run. `profile` is None while only collecting; `earlier` is what it is joined to."""

    options: RunOptions
    catalogue: Catalogue
    profile: Profile | None
    selection: Selection
    allowance: Allowance = NOTHING
    violations: Mapping[tuple[str, Tier], Sequence[Violation]] = field(default_factory=dict)
    run: str = ""
    earlier: Join | None = None
    judged: list[Judgement] = field(default_factory=list)
    log: EvidenceLog | None = None
    lock: StackLock | None = None
    swept: list[str] = field(default_factory=list)
    sent: RequestCounts = ()
    finished: bool = False

    @property
    def is_chained(self) -> bool:
        """Return True if this is one of several invocations that end in one verdict."""
        return bool(os.environ.get("ASSAY_RUN"))

    @property
    def live(self) -> bool:
        """Return True if anything selected needs a running stack."""
        return any(tier is not Tier.STATIC for _, tier in self.selection.pairs)

    @property
    def limits(self) -> RunLimits:
        """Return what the run allows its tests."""
        return RunLimits(self.allowance.effects, self.allowance.max_rps, self.options.drill)

    @property
    def evidence(self) -> Path:
        """Return the file that the records go to."""
        return self.options.reports / ("proof" if self.options.prove else "evidence") / f"{self.run}.jsonl"

    def needed(self) -> Profile:
        """Return the profile.

        Raises:
            ProfileError: this run only collects.
        """
        if self.profile is None:
            raise ProfileError("this run has no stack", "run without --collect-only")
        return self.profile

    def open(self) -> None:
        """Lock the stack, check that it is the one that is meant, sweep what was left, open the evidence.

        Raises:
            GuardError: another cluster, another run's plants.
        """
        if self.live:
            self._lock(self.needed())
        self.open_evidence()

    def open_evidence(self) -> None:
        """Open the evidence file of the run: made now, or gone on with."""
        kind = "proof" if self.options.prove else "acceptance"
        identity = {"run": self.run, "kind": kind, "allowed": str(self.allowance)}
        self.log = EvidenceLog(self.evidence, {**identity, **stack_identity(self.needed(), asked=self.live)})

    def _lock(self, profile: Profile) -> None:
        self.lock = StackLock(profile)
        exclusive = self.lock.try_exclusive()
        if self.options.prove and not exclusive:
            minutes = LOCK_TIMEOUT_S / 60
            say(f"another run uses stack {profile.name}; waiting up to {minutes:.0f} min for it to end")
            exclusive = self.lock.try_exclusive(LOCK_TIMEOUT_S)
        if self.options.prove and not exclusive:
            raise GuardError("another run uses this stack", "wait for it to end, then prove")
        if self.options.prove:
            require_lab(profile)
        try:
            ReadStack(profile).kube.check_cluster()
            sweeps = self.options.prove or left_plant(profile) is not None
            if profile.is_lab and exclusive and sweeps and is_marked(profile):
                self.swept = sweep_left(Plant(profile, self.run))
        except ProbeError as why:
            self.swept = [f"nothing, a system cannot be asked: {why}"]
        if not self.options.prove:
            if not exclusive:
                say(f"another run uses stack {profile.name}; waiting only if it plants")
            self.lock.shared(LOCK_TIMEOUT_S)
            if profile.is_lab and not exclusive and (left := left_plant(profile)) is not None:
                raise GuardError(
                    f"{left}: it still stands, and another run uses the stack",
                    "wait for that run to end, then start again: what was left is swept first",
                )

    def begin(self) -> None:
        """Put the opening record on disk, once: what this run is asked to judge. A chained run has none."""
        if self.log is not None and self.log.sequence == 0 and not self.is_chained:
            self.log.append(opening_of(self.catalogue, self.needed(), self.selection, self.earlier))

    def keep(self, found: Judgement) -> None:
        """Put one judgement on disk, then count it."""
        self.begin()
        if self.log is not None:
            self.log.append(found)
        self.judged.append(replace(found, run=self.run))

    def adopt(self) -> None:
        """Count the judgements in the evidence: those of other processes and of the run that is joined."""
        self.judged = list(read_past_run(self.evidence).judgements)
        if self.log is not None:
            self.log = EvidenceLog(self.evidence, self.log.identity)

    def with_waivers(self, judged: Judgement) -> Judgement:
        """Return a failed judgement with the profile's waivers for it; a proof knows none."""
        waivers = () if self.options.prove else self.needed().waivers
        return with_waivers(judged, waivers, utc_now().date())

    def narrow(self, collected: Iterable[tuple[str, Tier]]) -> None:
        """Count only what pytest collected; say so if that is less than what was selected."""
        pairs = self.selection.pairs & frozenset(collected)
        if pairs != self.selection.pairs:
            words = [self.selection.says, "what the command line names"]
            self.selection = replace(
                self.selection, pairs=pairs, says="; ".join(word for word in words if word)
            )

    def table(self) -> tuple[ControlRow, ...]:
        """Return one row per control of the catalogue."""
        return control_rows(self.catalogue, self.selection, self.judged)

    def code(self) -> int:
        """Return the exit code of the run."""
        return proof_code(self.judged) if self.options.prove else exit_code(self.table())

    def line(self) -> str:
        """Return the last line of the run."""
        if self.options.prove:
            return proof_line(self.judged) + self.selection.reservations
        return gate_line(self.table(), self.selection)

    def remarks(self) -> list[str]:
        """Return what is to be said of the profile's waivers."""
        if self.options.prove:
            return []
        return waiver_findings(self.catalogue, self.needed().waivers, self.table(), utc_now().date())

    def lines(self) -> list[str]:
        """Return the summary of the run."""
        if self.options.prove:
            return proof_lines(self.judged)
        standins = [f"stand-in: {one.part}: {one.reason}" for one in self.needed().standins]
        remarks, whole = [*self.remarks(), *standins], not self.selection.says
        return summary(self.table(), self.catalogue.findings, remarks, whole=whole)

    def where(self) -> str:
        """Return where the evidence is, and the hash of its last line, which tells a forgery later."""
        return f"evidence: {self.evidence}, head {self.log.head if self.log is not None else '-'}"

    def header(self) -> list[str]:
        """Return the first lines of the run: which stack, how much of the scope, under which run id."""
        profile = self.needed()
        text = f"assay: stack {profile.name} ({profile.kind}), run {self.run}, "
        text += f"{len(self.selection.controls)} controls with a test"
        text += f" of {len(self.selection.scope)} in scope, {len(self.catalogue.controls)} in the catalogue"
        swept = [f"assay: swept {', '.join(self.swept)}"] if self.swept else []
        allowed = f"assay: allowed: {self.allowance}"
        return [text + self.selection.reservations, allowed, *swept]

    def finish(self, *, interrupted: bool = False) -> Outcome | None:
        """Close the evidence, write what people and machines read, and release the stack.

        Returns:
            What the run came to; None for a proof and for one of several chained invocations.
        """
        outcome = None
        if self.options.prove:
            write_detections(self.options.reports / "detections.json", self.judged)
        self.sent += SENT.take()
        if self.log is not None and self.sent:
            self.begin()
            self.log.append(Aside(merged(self.sent)))
        if self.log is not None and not self.is_chained:
            self.begin()
            self.log.append(self._closing("ended early" if interrupted else "complete"))
            if not self.options.prove:
                outcome = case_outcome(read_past_run(self.evidence), self.catalogue)
                write_views(self.options, outcome)
        if self.lock is not None:
            self.lock.close()
        self.finished = True
        return outcome

    def _closing(self, ending: str) -> Closing:
        log = self.log
        count, head = (log.sequence, log.head) if log is not None else (0, "")
        return Closing(
            ended=utc_now().isoformat(timespec="seconds"),
            count=count,
            head=head,
            outcome=ending,
            gate=self.line(),
            code=self.code(),
            remarks=tuple(self.remarks()),
        )
