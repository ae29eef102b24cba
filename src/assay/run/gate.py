"""The gate: judgements of a run -> one verdict per control -> one line and an exit code.

Reads our record, never pytest's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.catalogue import Catalogue
from assay.config.profile import Profile
from assay.effect import Effect
from assay.model import Control, Tier, Verdict
from assay.run.allowance import Allowance
from assay.run.entries import Judgement


GREEN, RED, UNSURE, UNUSABLE = 0, 1, 10, 4
WORST = (Verdict.FAIL, Verdict.ERROR, Verdict.NOT_CHECKED, Verdict.PASS, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run is asked to judge: (control, tier) pairs.

    Attributes:
        pairs: what is judged.
        says: how the command line narrowed that; empty: not at all.
        left_out: what would be judged and is not allowed, with its effect and the reason: NOT_CHECKED.
        parts: what is judged but for a part, with the effect of that part, which is not allowed.
        scope: the controls that the stack is accepted on.
        not_applicable: control -> the reason that the profile gives.
        joins: the earlier run that this one completes, in words; empty: it is a run of its own.
    """

    pairs: frozenset[tuple[str, Tier]]
    says: str = ""
    left_out: Mapping[tuple[str, Tier], tuple[Effect, str]] = field(default_factory=dict)
    parts: Mapping[tuple[str, Tier], Effect] = field(default_factory=dict)
    scope: frozenset[str] = frozenset()
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    joins: str = ""

    @property
    def controls(self) -> set[str]:
        """Return the ids of the selected controls."""
        return {control for control, _ in self.pairs}

    @property
    def omitted(self) -> str:
        """Return in words what was left out because it is not allowed, by effect; empty where nothing was."""
        whole = [(effect, f"{name} {tier}") for (name, tier), (effect, _) in sorted(self.left_out.items())]
        parts = [(effect, f"a part of {name} {tier}") for (name, tier), effect in sorted(self.parts.items())]
        words = {effect: [what for one, what in [*whole, *parts] if one is effect] for effect in Effect}
        said = [f"{effect} ({', '.join(words[effect])})" for effect in Effect if words[effect]]
        return f"left out, not allowed: {'; '.join(said)}" if said else ""

    @property
    def reservations(self) -> str:
        """Return what a reader of one line must know: narrowed, left out, joined; empty: nothing."""
        text = f" (PARTIAL: {self.says})" if self.says else ""
        text += f"; {self.omitted}" if self.omitted else ""
        return text + (f"; JOINED: {self.joins}" if self.joins else "")

    def reduced(self, allowance: Allowance, catalogue: Catalogue) -> Selection:
        """Return what of it is allowed; the rest is left out with its reason."""
        effects = {(name, tier): catalogue.controls[name].effect(tier) for name, tier in self.pairs}
        out = {
            pair: (effect, allowance.why_not(effect))
            for pair, effect in effects.items()
            if effect not in allowance.effects
        }
        further = {(name, tier): catalogue.controls[name].further.get(tier) for name, tier in self.pairs}
        parts = {
            pair: effect
            for pair, effect in further.items()
            if effect is not None and effect not in allowance.effects and pair not in out
        }
        return replace(self, pairs=self.pairs - out.keys(), left_out=out, parts=parts)


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One control's verdict in a run, why, and the judgements it rests on. `covered`: the gate counts it."""

    control: Control
    verdict: Verdict
    reason: str
    judgements: tuple[Judgement, ...] = ()
    covered: bool = True
    in_scope: bool = True

    @property
    def waived(self) -> bool:
        """Return True if every failed judgement of the control is waived."""
        failed = [one for one in self.judgements if one.verdict == Verdict.FAIL]
        return self.verdict is Verdict.FAIL and bool(failed) and all(one.waived for one in failed)

    @property
    def offenders(self) -> tuple[tuple[str, str], ...]:
        """Return (name, why) of every offender that the evidence lists, each once."""
        return tuple(dict.fromkeys(pair for one in self.judgements for pair in one.offenders))

    @property
    def unlisted(self) -> int:
        """Return how many offenders the evidence counts and does not list, for their number."""
        return sum(max(0, one.found - len(one.offenders)) for one in self.judgements)

    @property
    def green(self) -> bool:
        """Return True if the row does not stand in the way of a green gate."""
        return self.waived or self.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE)


def select(
    catalogue: Catalogue,
    profile: Profile | None,
    tiers: Sequence[str] = (),
    controls: Sequence[str] = (),
    cases: Sequence[str] = (),
) -> Selection:
    """Return what is judged: the cases in scope, narrowed by tiers, controls and single cases.

    A control named outright is judged in any scope.

    Args:
        catalogue: the controls and their cases.
        profile: of the stack; None: everything is in scope.
        tiers: these only.
        controls: these only.
        cases: these only, each written `SEC-27:live`.
    """
    scope = scope_of(catalogue, profile) if profile else set(catalogue.controls)
    not_applicable = profile.not_applicable if profile else {}
    wanted = {*controls, *(case.partition(":")[0] for case in cases)} or scope
    pairs = {
        (case.control, case.tier)
        for case in catalogue.cases
        if case.control in wanted
        and case.control not in not_applicable
        and (not tiers or case.tier in tiers)
        and (not cases or f"{case.control}:{case.tier}" in cases)
    }
    narrowed = {"tier": tiers, "control": controls, "case": cases}
    says = "; ".join(f"{what} {', '.join(words)}" for what, words in narrowed.items() if words)
    return Selection(frozenset(pairs), says, scope=frozenset(scope), not_applicable=not_applicable)


def scope_of(catalogue: Catalogue, profile: Profile) -> set[str]:
    """Return the ids that the stack is accepted on: the profile's scope, else the whole catalogue."""
    if profile.tested_only:
        return catalogue.judged
    return set(profile.controls if profile.controls is not None else catalogue.controls)


def control_rows(
    catalogue: Catalogue, selection: Selection, judged: Iterable[Judgement]
) -> tuple[ControlRow, ...]:
    """Return one row for every control of the catalogue, in its order."""
    by_control: dict[str, list[Judgement]] = {}
    for one in judged:
        by_control.setdefault(one.control, []).append(one)
    return tuple(
        _row(control, catalogue, selection, tuple(by_control.get(control.id, ())))
        for control in catalogue.controls.values()
    )


def _row(
    control: Control, catalogue: Catalogue, selection: Selection, judged: tuple[Judgement, ...]
) -> ControlRow:
    in_scope = control.id in selection.scope
    if control.id in selection.not_applicable:
        reason = selection.not_applicable[control.id]
        return ControlRow(control, Verdict.NOT_APPLICABLE, reason, (), in_scope, in_scope)
    found = [(_rank(one), Verdict(one.verdict), one.reason) for one in judged]
    found += [(WORST.index(verdict), verdict, why) for verdict, why in _unjudged(control, selection, judged)]
    if not found:
        reason = _unasked(control, catalogue, selection, in_scope=in_scope)
        return ControlRow(control, Verdict.NOT_CHECKED, reason, (), in_scope and not selection.says, in_scope)
    worst, verdict, _ = min(found)
    reasons = [reason for rank, _, reason in found if rank == worst and reason]
    reasons += _untested(control, catalogue, selection)
    return ControlRow(control, verdict, "; ".join(dict.fromkeys(reasons)), judged, True, in_scope)


def _rank(judged: Judgement) -> float:
    """Return how bad a judgement is, the worst lowest: a waived failure hides nothing but a PASS."""
    worst = WORST.index(Verdict(judged.verdict))
    return WORST.index(Verdict.PASS) - 0.5 if judged.waived else worst


def _unjudged(
    control: Control, selection: Selection, judged: Sequence[Judgement]
) -> Iterable[tuple[Verdict, str]]:
    """Yield a verdict and a reason for each tier that was to be judged and was not."""
    for tier in sorted({tier for name, tier in selection.pairs if name == control.id}):
        if tier not in {one.tier for one in judged}:
            yield Verdict.ERROR, f"no verdict was recorded for tier {tier}: the test did not run to its end"
    for (name, tier), (_, why) in sorted(selection.left_out.items()):
        if name == control.id:
            yield Verdict.NOT_CHECKED, f"tier {tier}: {why}"


def _untested(control: Control, catalogue: Catalogue, selection: Selection) -> list[str]:
    """Return a remark on the tiers of the policy that no test judges yet; a narrowed run makes none."""
    tested = {case.tier for case in catalogue.cases if case.control == control.id}
    missing = sorted(set(control.tiers) - tested)
    return [f"tier {', '.join(missing)} has no test yet"] if missing and not selection.says else []


def _unasked(control: Control, catalogue: Catalogue, selection: Selection, *, in_scope: bool) -> str:
    if control.id not in catalogue.judged:
        return "no test yet"
    return "not selected" if selection.says and in_scope else "outside the profile's scope"


def exit_code(table: Sequence[ControlRow]) -> int:
    """Return 0 green, 1 any FAIL, 10 only ERROR or NOT_CHECKED, 4 nothing was covered."""
    covered = [row for row in table if row.covered]
    if not covered:
        return UNUSABLE
    if any(row.verdict is Verdict.FAIL and not row.waived for row in covered):
        return RED
    return GREEN if all(row.green for row in covered) else UNSURE


def gate_line(table: Sequence[ControlRow], selection: Selection) -> str:
    """Return the last line of a run: the colour, how many of how many, and what was not looked at."""
    covered = [row for row in table if row.covered]
    colour = {GREEN: "GREEN", RED: "RED", UNSURE: "UNSURE"}.get(exit_code(table), "NOTHING JUDGED")
    good = sum(row.green for row in covered)
    unchecked = sum(row.verdict is Verdict.NOT_CHECKED for row in table)
    waived = sum(row.waived for row in covered)
    what = "selected" if selection.says else "in scope"
    line = (
        f"{colour}: {good} of {len(covered)} {what}, {len(table)} in the catalogue, {unchecked} not checked"
    )
    line += f", {waived} waived" if waived else ""
    return line + selection.reservations
