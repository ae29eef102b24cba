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
from typing import Any

from assay.catalogue import Catalogue, check_overrides, check_trios, load_catalogue
from assay.config.profile import Profile
from assay.errors import CatalogueError, GuardError, ProbeError, ProfileError
from assay.model import Tier, Verdict
from assay.proof.plant import Plant
from assay.proof.violation import Violation, planted_violations
from assay.run.detection import proof_code, proof_line, proof_lines, write_detections
from assay.run.evidence import EvidenceLog, Judgement, judgement_from
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
from assay.run.resolve import find_profile, stack_identity
from assay.run.stack_lock import StackLock
from assay.run.summary import summary
from assay.stack import Stack


PATIENCE = 900.0
ALONE = (Tier.LOAD, Tier.DRILL)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asked for. `workers`: xdist runs the tests in several processes."""

    root: Path
    reports: Path
    stack: str | None = None
    tiers: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    prove: bool = False
    workers: bool = False
    collect_only: bool = False


@dataclass
class Session:
    """The state of a run. `profile` is None while only collecting."""

    wish: RunOptions
    catalogue: Catalogue
    profile: Profile | None
    selection: Selection
    violations: Mapping[tuple[str, Tier], Sequence[Violation]] = field(default_factory=dict)
    run: str = ""
    judged: list[Judgement] = field(default_factory=list)
    ledger: EvidenceLog | None = None
    lease: StackLock | None = None
    swept: list[str] = field(default_factory=list)

    @property
    def part(self) -> bool:
        """Return True if this is one of several invocations that end in one verdict."""
        return bool(os.environ.get("ASSAY_RUN"))

    @property
    def live(self) -> bool:
        """Return True if anything selected needs a running stack."""
        return any(tier is not Tier.STATIC for _, tier in self.selection.pairs)

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

        Open the ledger.

        Raises:
            GuardError: another cluster, another run's plants.
        """
        profile = self.needed()
        if self.live:
            self._take(profile)
        folder = self.wish.reports / ("proof" if self.wish.prove else "evidence")
        facts = {"run": self.run, "kind": "proof" if self.wish.prove else "acceptance"}
        self.ledger = EvidenceLog(
            folder / f"{self.run}.jsonl", {**facts, **stack_identity(profile, asked=self.live)}
        )

    def _take(self, profile: Profile) -> None:
        self.lease = StackLock(profile)
        alone = self.lease.alone()
        if self.wish.prove and not alone:
            say(f"another run uses stack {profile.name}; waiting up to {PATIENCE / 60:.0f} min for its end")
            alone = self.lease.alone(PATIENCE)
        if self.wish.prove and not alone:
            raise GuardError("another run uses this stack", "wait for its end, then prove")
        try:
            Stack(profile).kube.check_cluster()
            if profile.is_lab and alone:
                self.swept = Plant(profile, self.run).sweep()
        except ProbeError as why:
            self.swept = [f"nothing, the Kubernetes API cannot be asked: {why}"]
        if not self.wish.prove:
            if not alone:
                say(f"another run uses stack {profile.name}; waiting only if it plants")
            self.lease.shared(PATIENCE)

    def keep(self, row: Mapping[str, Any]) -> None:
        """Put one judgement on disk, then count it."""
        if self.ledger is not None:
            self.ledger.append(row)
        self.judged.append(judgement_from(row))

    def judge_waiver(self, judged: Judgement) -> Judgement:
        """Return a failed judgement with its waiver, if the profile has one that covers it."""
        if judged.verdict != Verdict.FAIL or self.wish.prove:
            return judged
        return replace(judged, waived=waiver_for(self.needed(), judged, today()))

    def narrow(self, collected: Iterable[tuple[str, Tier]]) -> None:
        """Count only what pytest collected; say so if that is less than what was selected."""
        pairs = self.selection.pairs & frozenset(collected)
        if pairs != self.selection.pairs:
            words = [self.selection.says, "what the command line names"]
            self.selection = Selection(pairs, "; ".join(word for word in words if word))

    def table(self) -> list[ControlRow]:
        """Return one row per control of the catalogue."""
        return control_rows(self.catalogue, self.needed(), self.selection, self.judged)

    def code(self) -> int:
        """Return the exit code of the run."""
        return proof_code(self.judged) if self.wish.prove else exit_code(self.table())

    def line(self) -> str:
        """Return the last line of the run."""
        if self.wish.prove:
            says = f" (PARTIAL: {self.selection.says})" if self.selection.says else ""
            return proof_line(self.judged) + says
        return gate_line(self.table(), self.selection)

    def lines(self) -> list[str]:
        """Return the summary of the run."""
        if self.wish.prove:
            return proof_lines(self.judged)
        table = self.table()
        remarks = waiver_findings(self.catalogue, self.needed(), table, today())
        remarks += [f"stand-in: {one.part}: {one.reason}" for one in self.needed().standins]
        return summary(table, self.catalogue.findings, remarks)

    def files(self) -> str:
        """Return where the evidence lies, in words."""
        return f"evidence: {self.ledger.path}" if self.ledger is not None else "evidence: none"

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
        swept = [f"assay: swept {', '.join(self.swept)}"] if self.swept else []
        return [text, *swept]

    def close(self) -> None:
        """Write the verdicts, and give the stack back."""
        if self.wish.prove:
            write_detections(self.wish.reports / "detections.json", self.judged)
        elif not self.part:
            write_verdicts(self.wish.reports, self.run, self.table(), self.line(), self.lines())
        if self.lease is not None:
            self.lease.close()


def start(wish: RunOptions) -> Session:
    """Return the session for what the command line asked.

    Raises:
        AssayError: catalogue, profile or wish cannot be used; one line with a remedy.
    """
    catalogue = load_catalogue(wish.root)
    check_trios(catalogue, wish.controls)
    _check_known("--control", wish.controls, catalogue)
    run = os.environ.get("ASSAY_RUN") or new_run()
    if wish.collect_only:
        nothing = Profile(file=wish.root, name="-", kind="-")
        session = Session(
            wish, catalogue, None, select(catalogue, nothing, wish.tiers, wish.controls), run=run
        )
        session.violations = _violations(session) if wish.prove else {}
        return session
    profile = find_profile(wish.stack)
    _check_known(f"{profile.file.name} [scope]", profile.controls or (), catalogue)
    _check_known(f"{profile.file.name} [[not_applicable]]", tuple(profile.not_applicable), catalogue)
    check_overrides(catalogue, profile.overrides)
    session = Session(
        wish, catalogue, profile, select(catalogue, profile, wish.tiers, wish.controls), run=run
    )
    _check_alone(session)
    if wish.prove:
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


def _check_alone(session: Session) -> None:
    if not session.wish.workers:
        return
    if session.wish.prove:
        raise GuardError("a proof runs alone", "leave out -n")
    if any(tier in ALONE for _, tier in session.selection.pairs):
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
    """Tell the person who waits why, at once."""
    sys.stderr.write(f"assay: {text}\n")
    sys.stderr.flush()


def new_run() -> str:
    """Return a new run id: UTC time and four random characters."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dt%H%M%Sz}-{secrets.token_hex(2)}"


def today() -> datetime.date:
    """Return the day, UTC."""
    return datetime.datetime.now(datetime.UTC).date()
