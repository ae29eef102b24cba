"""One acceptance run inside pytest.

What is selected, on which stack, where the records go, what it comes to.
"""

from __future__ import annotations

import datetime
import json
import os
import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.catalogue import Catalogue, check_overrides, check_trios, load_catalogue
from assay.config.profile import Profile
from assay.drills.specs import DRILLS
from assay.errors import CatalogueError, GuardError, ProbeError, ProfileError
from assay.model import Tier, Verdict
from assay.proof.plant import Plant
from assay.proof.violation import Violation, planted_violations
from assay.run.allowance import NOTHING, Allowance, allowance_of
from assay.run.detection import proof_code, proof_line, proof_lines, write_detections
from assay.run.evidence import EvidenceLog, Judgement, judgement_from, read_lines
from assay.run.gate import (
    ControlRow,
    Selection,
    control_rows,
    exit_code,
    gate_line,
    scope_of,
    select,
    waiver_findings,
    waiver_for,
)
from assay.run.identity import stack_identity
from assay.run.resolve import find_profile
from assay.run.stack_lock import StackLock
from assay.run.summary import summary
from assay.stack import ReadStack, RunLimits
from assay.writers.lab import is_marked, require_lab


LOCK_TIMEOUT_S = 900.0
EXCLUSIVE = (Tier.LOAD, Tier.DRILL)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asked for. `workers`: xdist runs the tests in several processes."""

    root: Path
    reports: Path
    stack: str | None = None
    tiers: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    prove: bool = False
    drill: str = ""
    allow: tuple[str, ...] = ()
    workers: bool = False
    collect_only: bool = False


@dataclass
class Session:
    """The state of a run. `profile` is None while only collecting."""

    options: RunOptions
    catalogue: Catalogue
    profile: Profile | None
    selection: Selection
    allowance: Allowance = NOTHING
    violations: Mapping[tuple[str, Tier], Sequence[Violation]] = field(default_factory=dict)
    run: str = ""
    judged: list[Judgement] = field(default_factory=list)
    log: EvidenceLog | None = None
    evidence_file: Path | None = None
    lock: StackLock | None = None
    swept: list[str] = field(default_factory=list)

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

    def needed(self) -> Profile:
        """Return the profile.

        Raises:
            ProfileError: this run only collects.
        """
        if self.profile is None:
            raise ProfileError("this run has no stack", "run without --collect-only")
        return self.profile

    def open(self) -> None:
        """Take the stack, check that it is the one that is meant, sweep what was left behind.

        Open the evidence log.

        Raises:
            GuardError: another cluster, another run's plants.
        """
        profile = self.needed()
        if self.live:
            self._take(profile)
        folder = self.options.reports / ("proof" if self.options.prove else "evidence")
        kind = "proof" if self.options.prove else "acceptance"
        facts = {"run": self.run, "kind": kind, "allowed": str(self.allowance)}
        self.evidence_file = folder / f"{self.run}.jsonl"
        self.log = EvidenceLog(self.evidence_file, {**facts, **stack_identity(profile, asked=self.live)})

    def _take(self, profile: Profile) -> None:
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
            if profile.is_lab and exclusive and is_marked(profile):
                self.swept = Plant(profile, self.run).sweep()
        except ProbeError as why:
            self.swept = [f"nothing, the Kubernetes API cannot be asked: {why}"]
        if not self.options.prove:
            if not exclusive:
                say(f"another run uses stack {profile.name}; waiting only if it plants")
            self.lock.shared(LOCK_TIMEOUT_S)

    def keep(self, found: Judgement) -> None:
        """Put one judgement on disk, then count it."""
        if self.log is not None:
            self.log.append(found.row())
        self.judged.append(found)

    def adopt(self, path: Path) -> None:
        """Count the judgements that other processes of this run have put into the evidence file at `path`."""
        self.evidence_file = path
        self.judged = [judgement_from(line) for line in read_lines(path)] if path.exists() else []

    def judge_waiver(self, judged: Judgement) -> Judgement:
        """Return a failed judgement with its waiver, if the profile has one that covers it."""
        if judged.verdict != Verdict.FAIL or self.options.prove:
            return judged
        return replace(judged, waived=waiver_for(self.needed(), judged, today()))

    def narrow(self, collected: Iterable[tuple[str, Tier]]) -> None:
        """Count only what pytest collected; say so if that is less than what was selected."""
        pairs = self.selection.pairs & frozenset(collected)
        if pairs != self.selection.pairs:
            words = [self.selection.says, "what the command line names"]
            self.selection = replace(self.selection, pairs=pairs, says="; ".join(filter(None, words)))

    def table(self) -> list[ControlRow]:
        """Return one row per control of the catalogue."""
        return control_rows(self.catalogue, self.needed(), self.selection, self.judged)

    def code(self) -> int:
        """Return the exit code of the run."""
        return proof_code(self.judged) if self.options.prove else exit_code(self.table())

    def line(self) -> str:
        """Return the last line of the run."""
        if self.options.prove:
            says = f" (PARTIAL: {self.selection.says})" if self.selection.says else ""
            return proof_line(self.judged) + says
        return gate_line(self.table(), self.selection)

    def lines(self) -> list[str]:
        """Return the summary of the run."""
        if self.options.prove:
            return proof_lines(self.judged)
        table = self.table()
        remarks = waiver_findings(self.catalogue, self.needed(), table, today())
        remarks += [f"stand-in: {one.part}: {one.reason}" for one in self.needed().standins]
        return summary(table, self.catalogue.findings, remarks)

    def files(self) -> str:
        """Return where the evidence is, in words."""
        return f"evidence: {self.evidence_file or 'none'}"

    def listing(self, pairs: Iterable[tuple[str, Tier]]) -> list[str]:
        """Return a line for each of `pairs`: control, tier, owner, statement."""
        known = [(name, tier, self.catalogue.controls[name]) for name, tier in pairs]
        return [f"{name:8} {tier:7} {one.owner:14} {one.statement}" for name, tier, one in known]

    def header(self) -> list[str]:
        """Return the first lines of the run: which stack, how much of the scope, under which run id."""
        profile = self.needed()
        scope = len(scope_of(self.catalogue, profile))
        text = f"assay: stack {profile.name} ({profile.kind}), run {self.run}, "
        text += f"{len(self.selection.controls)} controls with a test"
        text += f" of {scope} in scope, {len(self.catalogue.controls)} in the catalogue"
        text += f" (PARTIAL: {self.selection.says})" if self.selection.says else ""
        text += f"; {self.selection.omitted}" if self.selection.omitted else ""
        allowed = f"assay: allowed: {self.allowance}"
        swept = [f"assay: swept {', '.join(self.swept)}"] if self.swept else []
        return [text, allowed, *swept]

    def close(self) -> None:
        """Write the verdicts, and give the stack back."""
        if self.options.prove:
            write_detections(self.options.reports / "detections.json", self.judged)
        elif not self.is_chained:
            write_verdicts(self.options.reports, self.run, self.table(), self.line(), self.lines())
        if self.lock is not None:
            self.lock.close()


def start(options: RunOptions) -> Session:
    """Return the session for what the command line asked.

    Raises:
        AssayError: catalogue, profile or options cannot be used; one line with a remedy.
    """
    catalogue = load_catalogue(options.root)
    check_trios(catalogue, options.controls)
    _check_known("--control", options.controls, catalogue)
    if options.drill and options.drill not in DRILLS:
        raise CatalogueError(f"--drill: no such drill: {options.drill}", f"known: {', '.join(DRILLS)}")
    run = os.environ.get("ASSAY_RUN") or new_run()
    if options.collect_only:
        nothing = Profile(file=options.root, name="-", kind="-")
        session = Session(
            options, catalogue, None, select(catalogue, nothing, options.tiers, options.controls), run=run
        )
        session.violations = _violations(session) if options.prove else {}
        return session
    profile = find_profile(options.stack)
    _check_known(f"{profile.file.name} [scope]", profile.controls or (), catalogue)
    _check_known(f"{profile.file.name} [[not_applicable]]", tuple(profile.not_applicable), catalogue)
    check_overrides(catalogue, profile.overrides)
    allowance = allowance_of(profile, options.allow, datetime.datetime.now(datetime.UTC))
    selection = select(catalogue, profile, options.tiers, options.controls).reduced(allowance, catalogue)
    session = Session(options, catalogue, profile, selection, allowance, run=run)
    _check_known(
        f"{profile.file.name} [[standins]]",
        [name for one in profile.standins for name in one.controls],
        catalogue,
    )
    _check_exclusive(session)
    _check_cluster_named(session, profile)
    if options.prove:
        if not profile.is_lab:
            raise GuardError(f"{profile.name} is {profile.kind}: nothing is planted there", "prove on a lab")
        session.violations = _violations(session)
    return session


def _check_known(where: str, controls: Sequence[str], catalogue: Catalogue) -> None:
    unknown = [control for control in controls if control not in catalogue.controls]
    if unknown:
        raise CatalogueError(
            f"{where}: no such control: {', '.join(unknown)}", "see docs/coverage.md for the ids"
        )


def _check_cluster_named(session: Session, profile: Profile) -> None:
    if session.live and not profile.cluster_uid:
        raise ProfileError(
            f"{profile.file.name} does not say which cluster is meant: [stack] cluster_uid is empty",
            "kubectl get namespace kube-system -o jsonpath={.metadata.uid} prints it; "
            "--tier static judges without it",
        )


def _check_exclusive(session: Session) -> None:
    if not session.options.workers:
        return
    if session.options.prove:
        raise GuardError("a proof runs alone", "leave out -n")
    if any(tier in EXCLUSIVE for _, tier in session.selection.pairs):
        raise GuardError("load and drill run alone", "leave out -n, or add --tier static --tier live")


def _violations(session: Session) -> dict[tuple[str, Tier], list[Violation]]:
    found: dict[tuple[str, Tier], list[Violation]] = {pair: [] for pair in sorted(session.selection.pairs)}
    for control in sorted(session.selection.controls):
        known = session.catalogue.controls[control]
        for one in planted_violations(session.catalogue.root, known):
            found.setdefault((control, one.tier_of(known)), []).append(one)
    for (control, tier), violations in found.items():
        if not violations and (control, tier) in session.selection.pairs:
            raise CatalogueError(
                f"{control}: no violation for its {tier} test", f'mark one with @violation(tier="{tier}")'
            )
    return found


def write_verdicts(
    reports: Path, run: str, table: Sequence[ControlRow], line: str, lines: Sequence[str]
) -> None:
    """Write `verdicts.json` and `summary.txt`: what a run came to, for machines and for people."""
    reports.mkdir(parents=True, exist_ok=True)
    document = {
        "run": run,
        "gate": line,
        "exit": exit_code(table),
        "controls": [
            {
                "id": row.control.id,
                "verdict": str(row.verdict),
                "owner": row.control.owner,
                "reason": row.reason,
                "covered": row.covered,
                "waived": row.waived,
            }
            for row in table
        ],
    }
    (reports / "verdicts.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (reports / "summary.txt").write_text("\n".join([*lines, "", line, ""]), encoding="utf-8")


def say(text: str) -> None:
    """Write a line to standard error at once, for the person who waits."""
    sys.stderr.write(f"assay: {text}\n")
    sys.stderr.flush()


def new_run() -> str:
    """Return a new run id: UTC time and four random characters."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dt%H%M%Sz}-{secrets.token_hex(2)}"


def today() -> datetime.date:
    """Return the day, UTC."""
    return datetime.datetime.now(datetime.UTC).date()
