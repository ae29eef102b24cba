"""The gate: judgements of a run -> one verdict per control -> one line and an exit code.

Reads our record, never pytest's.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.catalogue import Catalogue
from assay.config.profile import Profile, Waiver
from assay.model import Control, Effect, Tier, Verdict
from assay.run.allowance import Allowance
from assay.run.evidence import Judgement


GREEN, RED, UNSURE, UNUSABLE = 0, 1, 10, 4
WORST = (Verdict.FAIL, Verdict.ERROR, Verdict.NOT_CHECKED, Verdict.PASS, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run was asked to judge: (control, tier) pairs.

    Attributes:
        pairs: what is judged.
        says: how that is narrower than the scope, empty if it is not.
        left_out: what would be judged and is not allowed, with its effect and the reason.
        parts: what is judged but for a part, with the effect of that part, which is not allowed.
    """

    pairs: frozenset[tuple[str, Tier]]
    says: str = ""
    left_out: Mapping[tuple[str, Tier], tuple[Effect, str]] = field(default_factory=dict)
    parts: Mapping[tuple[str, Tier], Effect] = field(default_factory=dict)

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
    def green(self) -> bool:
        """Return True if the row does not stand in the way of a green gate."""
        return self.waived or self.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE)


def select(
    catalogue: Catalogue,
    profile: Profile,
    tiers: Sequence[str] = (),
    controls: Sequence[str] = (),
) -> Selection:
    """Return what is judged: the cases in scope, narrowed by tiers and controls.

    A control named outright is judged in any scope.
    """
    scope = set(controls) or scope_of(catalogue, profile)
    pairs = {
        (case.control, case.tier)
        for case in catalogue.cases
        if case.control in scope
        and case.control not in profile.not_applicable
        and (not tiers or case.tier in tiers)
    }
    words = [f"tier {', '.join(tiers)}"] if tiers else []
    words += [f"control {', '.join(controls)}"] if controls else []
    return Selection(frozenset(pairs), "; ".join(words))


def scope_of(catalogue: Catalogue, profile: Profile) -> set[str]:
    """Return the ids that the stack is accepted on: the profile's scope, else the whole catalogue."""
    if profile.tested_only:
        return catalogue.judged
    return set(profile.controls if profile.controls is not None else catalogue.controls)


def control_rows(
    catalogue: Catalogue, profile: Profile, selection: Selection, judged: Iterable[Judgement]
) -> list[ControlRow]:
    """Return one row for every control of the catalogue, in its order."""
    by_control: dict[str, list[Judgement]] = {}
    for one in judged:
        by_control.setdefault(one.control, []).append(one)
    return [
        _row(control, catalogue, profile, selection, by_control.get(control.id, []))
        for control in catalogue.controls.values()
    ]


def _row(
    control: Control, catalogue: Catalogue, profile: Profile, selection: Selection, judged: list[Judgement]
) -> ControlRow:
    in_scope = control.id in scope_of(catalogue, profile)
    if control.id in profile.not_applicable:
        return ControlRow(
            control,
            Verdict.NOT_APPLICABLE,
            profile.not_applicable[control.id],
            covered=in_scope,
            in_scope=in_scope,
        )
    asked = {tier for name, tier in selection.pairs if name == control.id}
    out = [
        f"tier {tier}: {why}" for (name, tier), (_, why) in selection.left_out.items() if name == control.id
    ]
    if not asked and out:
        return ControlRow(control, Verdict.NOT_CHECKED, "; ".join(sorted(out)), in_scope=in_scope)
    if not asked:
        return ControlRow(
            control,
            Verdict.NOT_CHECKED,
            _unasked(control, catalogue, selection, in_scope=in_scope),
            (),
            _owed(selection, in_scope),
            in_scope,
        )
    missing = sorted(asked - {Tier(one.tier) for one in judged})
    verdicts = [Verdict(one.verdict) for one in judged] + [Verdict.ERROR for _ in missing]
    verdicts += [Verdict.NOT_CHECKED for _ in out]
    verdict = min(verdicts, key=WORST.index)
    reasons = [one.reason for one in judged if one.verdict == verdict and one.reason]
    reasons += [
        f"no verdict was recorded for tier {tier}: the test did not run to its end" for tier in missing
    ]
    untested = (
        []
        if selection.says
        else sorted(
            set(control.tiers) - {case.tier for case in catalogue.cases if case.control == control.id}
        )
    )
    note = out + ([f"tier {', '.join(untested)} has no test yet"] if untested else [])
    return ControlRow(
        control, verdict, "; ".join(dict.fromkeys(reasons + note)), tuple(judged), True, in_scope
    )


def _left_out(control: Control, selection: Selection) -> list[str]:
    """Return why tiers of a control were left out, one line each."""
    own = [(tier, why) for (name, tier), (_, why) in selection.left_out.items() if name == control.id]
    return [f"tier {tier}: {why}" for tier, why in sorted(own)]


def _owed(selection: Selection, in_scope: bool) -> bool:
    """Return True if a control without a selected test counts.

    It is in scope and nothing narrowed the run.
    """
    return in_scope and not selection.says


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
    line += f" (PARTIAL: {selection.says})" if selection.says else ""
    return f"{line}; {selection.omitted}" if selection.omitted else line


def waiver_for(profile: Profile, judged: Judgement, day: datetime.date) -> str:
    """Return who waived a failure until when, empty if nobody did or the waiver leaves anything over.

    What could not be read is never waived.
    """
    for waiver in profile.waivers:
        if waiver.control == judged.control and waiver.holds(day) and _covers(waiver, judged):
            return f"waived by {waiver.approver} until {waiver.expires}: {waiver.reason}"
    return ""


def _covers(waiver: Waiver, judged: Judgement) -> bool:
    offenders = [ref for ref, _ in judged.offenders]
    if judged.unread:
        return False
    return waiver.scope == "*" or (bool(offenders) and all(waiver.covers(ref) for ref in offenders))


def waiver_findings(
    catalogue: Catalogue, profile: Profile, table: Sequence[ControlRow], day: datetime.date
) -> list[str]:
    """Return one line for each waiver that is expired, unused or for a control that does not exist."""
    found = []
    by_id = {row.control.id: row for row in table}
    for waiver in profile.waivers:
        name = f"waiver for {waiver.control} ({waiver.scope})"
        row = by_id.get(waiver.control)
        if waiver.control not in catalogue.controls:
            found.append(f"{name}: no such control")
        elif not waiver.holds(day):
            found.append(f"{name}: not in force on {day}: {waiver.created} to {waiver.expires}")
        elif row is not None and row.judgements and row.verdict is not Verdict.FAIL:
            found.append(f"{name}: not needed, the control came to {row.verdict}")
    return found
