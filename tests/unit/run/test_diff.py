"""What turned between two runs, by owner, and which way."""

from __future__ import annotations

from dataclasses import replace

from assay.model import Verdict
from assay.run.diff import compare_runs
from tests.unit.support.outcomes import JUDGED, judged, outcome


BEFORE = outcome(*JUDGED)


def test_two_runs_that_saw_the_same_differ_in_nothing() -> None:
    found = compare_runs(BEFORE, outcome(*JUDGED))
    assert (found.turns, found.code) == ((), 0)
    assert found.lines[-1] == "\n0 of 7 controls turned, 0 for the worse"


def test_what_turned_is_said_by_owner_the_worse_first() -> None:
    after = outcome(
        judged("NET-01", "FAIL", ("Pod a/b", "is bad"), reason="1 offender"),
        judged("NET-02", "PASS"),
        *JUDGED[2:],
    )
    found = compare_runs(BEFORE, after)
    assert found.code == 1
    text = "\n".join(found.lines)
    assert "turned for the worse (1)\n  Security\n    NET-01   PASS -> FAIL" in text
    assert "             because: 1 offender" in text
    assert "             + Pod a/b" in text
    assert "turned otherwise (1)\n  Infra\n    NET-02   FAIL -> PASS" in text
    assert "             - File infra/main.tf:12" in text
    assert text.index("for the worse (1)") < text.index("turned otherwise")
    assert text.endswith("2 of 7 controls turned, 1 for the worse")


def test_a_failure_with_new_offenders_is_worse_and_with_fewer_is_not() -> None:
    one, two = ("File infra/main.tf:12", "is open"), ("File infra/main.tf:40", "is open")
    more = outcome(JUDGED[0], judged("NET-02", "FAIL", one, two), *JUDGED[2:])
    assert compare_runs(BEFORE, more).code == 1
    assert compare_runs(more, BEFORE).code == 0
    (turn,) = compare_runs(more, BEFORE).turns
    assert (turn.came, turn.went) == ((), ("File infra/main.tf:40",))


def test_a_waiver_that_ended_is_worse_and_one_that_came_is_better() -> None:
    unwaived = outcome(*JUDGED[:2], replace(JUDGED[2], waived=""), JUDGED[3])
    found = compare_runs(BEFORE, unwaived)
    assert "FAIL (waived) -> FAIL" in "\n".join(found.lines)
    assert (found.code, compare_runs(unwaived, BEFORE).code) == (1, 0)


def test_what_is_no_longer_judged_is_worse() -> None:
    """A control that nobody judges any more is not as good as one that passed."""
    found = compare_runs(BEFORE, outcome(*JUDGED[1:]))
    (turn,) = found.turns
    assert (turn.before.verdict, turn.after.verdict, found.code) == (Verdict.PASS, Verdict.NOT_CHECKED, 1)


def test_runs_that_cannot_simply_be_compared_say_why() -> None:
    after = outcome(*JUDGED)
    identity = {**after.past.identity, "stack": "other", "cluster_uid": "v"}
    other = replace(after, past=replace(after.past, identity=identity, closing=None))
    text = "\n".join(compare_runs(BEFORE, other).lines)
    for words in ("of different stacks", "of different clusters", "cut off: verdicts are missing"):
        assert words in text
