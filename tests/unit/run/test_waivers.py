"""Waivers add up over offenders, name what is left over, and are findings where they cover nothing."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.catalogue import Catalogue
from assay.config.profile import Waiver
from assay.model import Control, Tier, Verdict
from assay.run.entries import Judgement
from assay.run.gate import GREEN, RED, UNSURE, ControlRow, Selection, control_rows, exit_code
from assay.run.waivers import waiver_findings, with_waivers


DAY = datetime.date(2026, 11, 28)
NET = Control("NET-01", "The statement.", "s", "Infra", (Tier.STATIC, Tier.LIVE), "The remedy.")
CATALOGUE = Catalogue(Path(), {"NET-01": NET}, (), ())
BOTH = Selection(frozenset({("NET-01", Tier.STATIC), ("NET-01", Tier.LIVE)}), scope=frozenset({"NET-01"}))


def waiver(scope: str, control: str = "NET-01", days: int = 30) -> Waiver:
    return Waiver(control, scope, f"known {scope}", "Ann", DAY, DAY + datetime.timedelta(days=days))


def failed(*refs: str, tier: str = "live", verdict: str = "FAIL") -> Judgement:
    offenders = tuple((ref, "is bad") for ref in refs)
    return Judgement(
        "NET-01", "d", "Infra", tier, "t", verdict, reason=f"{len(refs)} offenders", found=len(refs),
        offenders=offenders,
    )  # fmt: skip


def test_several_waivers_together_cover_what_none_covers_alone() -> None:
    found = with_waivers(failed("Pod a/1", "Pod b/1"), [waiver("Pod a/*"), waiver("Pod b/*")], DAY)
    assert found.verdict == "FAIL"
    assert found.waivers == (("Pod a/*", 1), ("Pod b/*", 1))
    assert found.waived == (
        "Pod a/*: waived by Ann until 2026-12-28: known Pod a/*; "
        "Pod b/*: waived by Ann until 2026-12-28: known Pod b/*"
    )


def test_what_is_left_over_is_named_and_fails() -> None:
    found = with_waivers(failed("Pod a/1", "Pod a/2", "Pod c/1"), [waiver("Pod a/*"), waiver("Pod x/*")], DAY)
    assert (found.waived, found.waivers) == ("", (("Pod a/*", 2),))
    assert found.reason == "2 of 3 offenders waived, left: Pod c/1; 3 offenders"


@given(st.lists(st.sampled_from(["Pod a/1", "Pod b/1", "Pod c/1", "Node n"]), unique=True, min_size=1),
       st.lists(st.sampled_from(["Pod a/*", "Pod b/*", "Pod *", "Node *"]), unique=True))  # fmt: skip
def test_a_failure_is_waived_exactly_if_each_offender_is_covered(refs: list[str], scopes: list[str]) -> None:
    waivers = [waiver(scope) for scope in scopes]
    found = with_waivers(failed(*refs), waivers, DAY)
    covered = [any(one.covers(ref) for one in waivers) for ref in refs]
    assert bool(found.waived) is all(covered)
    if any(covered) and not all(covered):
        assert f"{sum(covered)} of {len(refs)} offenders waived, left: " in found.reason


@pytest.mark.parametrize("scope", ["*", "**", "*?*"])
def test_a_waiver_for_the_whole_control_is_shown_as_one(scope: str) -> None:
    found = with_waivers(failed("Pod a/1"), [waiver(scope)], DAY)
    assert found.waived.startswith("whole control (1 offender): waived by Ann until")
    numbers_only = with_waivers(failed(), [waiver("*")], DAY)
    assert numbers_only.waived.startswith("whole control (0 offenders)")
    assert not with_waivers(failed(), [waiver("Pod *")], DAY).waived


@pytest.mark.parametrize(
    ("scope", "control", "days", "says"),
    [
        ("Pod z/*", "NET-01", 30, "not needed, covers none of the offenders"),
        ("Pod a/*", "NET-01", -1, "not in force on 2026-11-28"),
        ("*", "NET-99", 30, "no such control"),
    ],
)
def test_a_waiver_that_helps_nobody_is_a_finding(scope: str, control: str, days: int, says: str) -> None:
    one = waiver(scope, control, days)
    row = ControlRow(NET, Verdict.FAIL, "", (with_waivers(failed("Pod a/1"), [one], DAY),))
    (found,) = waiver_findings(CATALOGUE, [one], [row], DAY)
    assert found.startswith(f"waiver for {control} ({scope}): {says}")


def test_one_that_is_used_or_whose_control_was_not_judged_is_no_finding() -> None:
    one = waiver("Pod a/*")
    judged = with_waivers(failed("Pod a/1", "Pod b/1"), [one], DAY)
    assert not waiver_findings(CATALOGUE, [one], [ControlRow(NET, Verdict.FAIL, "", (judged,))], DAY)
    assert not waiver_findings(CATALOGUE, [one], [ControlRow(NET, Verdict.NOT_CHECKED, "")], DAY)
    passed = ControlRow(NET, Verdict.PASS, "", (failed(verdict="PASS"),))
    assert waiver_findings(CATALOGUE, [one], [passed], DAY) == [
        "waiver for NET-01 (Pod a/*): not needed, the control came to PASS"
    ]


@pytest.mark.parametrize(
    ("other", "verdict", "code"),
    [("PASS", Verdict.FAIL, GREEN), ("ERROR", Verdict.ERROR, UNSURE), ("FAIL", Verdict.FAIL, RED)],
)
def test_a_waived_failure_hides_nothing_of_another_tier(other: str, verdict: Verdict, code: int) -> None:
    """A control that is waived in one tier and could not be judged in the other is not green."""
    waived = with_waivers(failed("Pod a/1"), [waiver("*")], DAY)
    rows = control_rows(CATALOGUE, BOTH, [waived, failed("Pod b/1", tier="static", verdict=other)])
    assert (rows[0].verdict, exit_code(rows)) == (verdict, code)
    missing = control_rows(CATALOGUE, BOTH, [waived])
    assert (missing[0].verdict, exit_code(missing)) == (Verdict.ERROR, UNSURE)
