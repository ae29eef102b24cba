"""From how a test ended to a verdict: an offender that was found stands, and nothing unread is a PASS."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from assay.config.profile import Waiver
from assay.errors import AssumptionError, ProbeError, UndeclaredError
from assay.model import Control, Record, Tier, Verdict
from assay.run.entries import Judgement, entry_from, row_of
from assay.run.gate import ControlRow
from assay.run.summary import summary
from assay.run.verdict import classify, judgement_of, report_error
from assay.run.waivers import with_waivers


CONTROL = Control("NET-01", "The statement.", "s", "Infra", (Tier.LIVE,), "The remedy.")
DENIED = ProbeError("denied", "ask for the right")
UNDECLARED = UndeclaredError("no number", "declare it")
OUR_OWN = ValueError("s3cr3t-canary")


def noted(*, offenders: int = 0, unread: int = 0, looked_at: int = 9) -> Record:
    record = Record(CONTROL, looked_at=looked_at)
    record.offenders((f"Pod a/{number}" for number in range(offenders)), "is bad")
    for number in range(unread):
        record.unread(f"Machine m-{number}", DENIED)
    return record


GAP = "could not be read: Machine m-0: denied"
REST = "1 thing could not be read: the rest of the test: denied"


@pytest.mark.parametrize(
    ("record", "problem", "verdict", "reason"),
    [
        pytest.param(noted(), None, "PASS", "", id="all-read"),
        pytest.param(noted(unread=1), None, "ERROR", f"1 thing {GAP}", id="one-unread"),
        pytest.param(noted(unread=2), None, "ERROR", f"2 things {GAP}", id="two-unread"),
        pytest.param(noted(unread=1), DENIED, "ERROR", f"denied, and 1 thing {GAP}", id="broke-off-unread"),
        pytest.param(noted(), DENIED, "ERROR", "denied", id="broke-off"),
        pytest.param(noted(), UNDECLARED, "NOT_CHECKED", "no number", id="undeclared"),
        pytest.param(
            noted(offenders=2), AssertionError("assert not [..]"), "FAIL",
            "2 offenders, 9 looked at", id="asserted",
        ),
        pytest.param(
            noted(offenders=1, unread=2), AssertionError(), "FAIL",
            f"1 offender, 9 looked at, and 2 things {GAP}", id="asserted-unread",
        ),
        pytest.param(
            noted(offenders=1), DENIED, "FAIL", f"1 offender, 9 looked at, and {REST}", id="offender-stands",
        ),
        pytest.param(
            noted(offenders=1, unread=1), AssumptionError("no"), "FAIL",
            f"1 offender, 9 looked at, and 2 things {GAP}", id="offender-stands-unread",
        ),
        pytest.param(
            noted(offenders=1), UNDECLARED, "FAIL",
            "1 offender, 9 looked at, and 1 thing could not be read: the rest of the test: no number",
            id="offender-stands-undeclared",
        ),
        pytest.param(
            noted(offenders=1), None, "ERROR",
            "offenders were noted but the test did not assert on them", id="forgotten",
        ),
        pytest.param(
            noted(looked_at=0), None, "ERROR",
            "passed without a population: nothing was looked at", id="no-population",
        ),
    ],
)  # fmt: skip
def test_the_verdict(record: Record, problem: BaseException | None, verdict: str, reason: str) -> None:
    assert classify(record, problem)[:2] == (Verdict(verdict), reason)


def test_where_all_was_left_out_on_purpose_nothing_is_judged_and_nothing_passes() -> None:
    record = noted(looked_at=0)
    record.unchecked("Bucket b", "made elsewhere", "judge it live")
    assert classify(record, None)[0] is Verdict.NOT_CHECKED


def test_what_was_unread_gives_the_remedy_of_an_error() -> None:
    assert classify(noted(unread=1), None)[2] == "ask for the right"
    assert classify(noted(offenders=1, unread=1), AssertionError())[2] == "The remedy."


def judged(record: Record, problem: BaseException | None) -> Judgement:
    return judgement_of(record, problem, Tier.LIVE, "t", 0.0)


def test_the_evidence_names_all_that_was_unread_and_the_summary_shows_it() -> None:
    found = judged(noted(offenders=1, unread=1), ProbeError("no answer", "check the network"))
    assert found.unread == (
        ("Machine m-0", "denied", "ask for the right"),
        ("the rest of the test", "no answer", "check the network"),
    )
    assert entry_from(row_of(found)) == found
    text = "\n".join(summary([ControlRow(CONTROL, Verdict(found.verdict), found.reason, (found,))]))
    assert "- Pod a/0: is bad" in text
    assert "? Machine m-0 could not be read: denied - ask for the right" in text
    assert "? the rest of the test could not be read: no answer - check the network" in text


def test_a_third_party_message_is_redacted_where_an_offender_stands() -> None:
    problem = OUR_OWN
    found = judged(noted(offenders=1), problem)
    shown = f"{found} {report_error(found, problem)}"
    assert found.verdict == "FAIL"
    assert "could not be read: the rest of the test: ValueError" in shown
    assert "s3cr3t-canary" not in shown


@pytest.mark.parametrize("scope", ["*", "Pod a/*"])
def test_what_could_not_be_read_is_never_waived(scope: str) -> None:
    day = datetime.date(2026, 9, 1)
    waiver = Waiver("NET-01", scope, "why", "who", day, day + datetime.timedelta(days=1))
    found = judged(noted(offenders=1, unread=1), AssertionError())
    assert not with_waivers(found, (waiver,), day).waived
    assert with_waivers(replace(found, unread=()), (waiver,), day).waived
