"""The verdict of a drill, and what a quorum is: pure functions, tried with planted faults."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.drills.faults.quorum import judge_members, judge_status
from assay.drills.workload.ledger import OperationLog, outcome_of
from assay.drills.workload.verdict import (
    FAIL,
    INFO,
    OK,
    HistoryFindings,
    NodeLoss,
    Op,
    check_history,
    write_gap,
)
from assay.errors import GuardError
from assay.probes.etcd import EtcdMember, EtcdStatus


LOSS = NodeLoss("cp-1", True, 10.0, 22.0, 40.0)


def history() -> list[Op]:
    """One write a second for a minute; those sent in the 4 s after the loss got no answer."""
    return [Op(f"w{i}", float(i), i + 0.1, INFO if 10 <= i < 14 else OK) for i in range(60)]


def verdict(
    ops: list[Op], missing: frozenset[str] = frozenset(), extra: frozenset[str] = frozenset()
) -> HistoryFindings:
    """Judge with three servers, one of which misses or has too much."""
    keys = {op.key for op in ops if op.outcome == OK}
    reads = {"a": keys, "b": keys - missing | extra, "c": keys}
    return check_history(ops, [LOSS], reads, {1, 2, 3}, {1, 2, 3})


def test_a_clean_drill() -> None:
    """Nothing lost, a gap of five seconds, rejoined in 18."""
    found = verdict(history())
    assert (found.lost, found.phantom, found.same_members, found.unknown) == ((), (), True, 4)
    assert found.write_gap == pytest.approx(5.0)
    assert found.losses[0].rejoin == pytest.approx(18.0)


@pytest.mark.parametrize("seed", range(50))
def test_every_planted_loss_is_found(seed: int) -> None:
    """An acknowledged key missing on one server only is lost."""
    ops = history()
    victim = random.Random(seed).choice([op.key for op in ops if op.outcome == OK])
    assert verdict(ops, missing=frozenset({victim})).lost == (victim,)


def test_unknown_writes_are_no_loss_and_no_phantom() -> None:
    """A time-out may or may not have been written: both are fine.

    A refused one that is there is a phantom.
    """
    assert verdict(history(), extra=frozenset({"w11"})).phantom == ()
    ops = [replace(op, outcome=FAIL) if op.key == "w12" else op for op in history()]
    assert verdict(ops, extra=frozenset({"w12"})).phantom == ("w12",)


def test_no_final_read_means_all_lost() -> None:
    """An empty set of reads never passes."""
    ops = history()
    assert len(check_history(ops, [LOSS], {}, {1}, {1}).lost) == 56


def test_other_members_and_never_back() -> None:
    """A replaced voter is not the same voter; never rejoined is None, not zero."""
    found = check_history(history(), [replace(LOSS, rejoined=None)], {"a": []}, {1, 2, 3}, {1, 2, 4})
    assert not found.same_members
    assert found.losses[0].rejoin is None


def test_gap_counts_to_the_end() -> None:
    """No acknowledgement after the loss: the gap lasts to the end; none at all: from the loss."""
    assert write_gap([1.0, 9.0], 10.0, 60.0) == pytest.approx(51.0)
    assert write_gap([], 10.0, 60.0) == pytest.approx(50.0)
    assert write_gap([9.0, 61.0], 10.0, 60.0) == pytest.approx(51.0)


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0, 50), st.floats(50, 100))
def test_gap_is_never_shorter_than_any_silence(acks: list[float], killed: float, until: float) -> None:
    """Against the definition.

    No acknowledgement lies strictly inside the reported gap's length anywhere longer.
    """
    gap = write_gap(sorted(acks), killed, until)
    points = sorted([killed, until, *(a for a in acks if killed < a <= until)])
    assert gap >= max(b - a for a, b in pairwise(points)) - 1e-9


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(201, OK), (422, FAIL), (403, FAIL), (409, INFO), (429, INFO), (500, INFO), (504, INFO), (301, INFO)],
)
def test_outcomes(status: int, outcome: str) -> None:
    """Only a sure answer is fail."""
    assert outcome_of(status) == outcome


def test_ledger_is_on_disk_and_whole(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Each write has an invoke and an outcome; a dying writer makes the record void."""
    ledger = OperationLog(tmp_path / "l.jsonl", [lambda _: OK, lambda _: INFO], every=0.01)
    ledger.start()
    while ledger.acked_since(0) < 5:
        pass
    ops = ledger.stop()
    lines = (tmp_path / "l.jsonl").read_text().splitlines()
    assert len(lines) == 2 * len(ops)
    assert {op.outcome for op in ops} == {OK, INFO}

    broken = OperationLog(tmp_path / "b.jsonl", [lambda _: str(1 // 0)], every=0.01)
    broken._threads[0].run = lambda: None  # type: ignore[method-assign]
    broken._broken.append(ZeroDivisionError())
    broken.start()
    with pytest.raises(GuardError, match="writer died"):
        broken.stop()


def member(number: int, **other: object) -> EtcdMember:
    """A started voter."""
    return replace(
        EtcdMember(number, f"cp-{number}", (f"https://10.0.0.{number}:2380",), ("c",), False), **other
    )  # type: ignore[arg-type]


def row(number: int, **other: object) -> EtcdStatus:
    """A healthy row that follows member 1."""
    return replace(
        EtcdStatus(f"https://10.0.0.{number}:2379", number, 1, "3.6.10", 100, 100, 2, False, ()), **other
    )  # type: ignore[arg-type]


GOOD = [member(1), member(2), member(3)]
ROWS = [row(1), row(2), row(3)]


def test_a_good_quorum() -> None:
    """Nothing to say."""
    assert judge_members({"a": GOOD, "b": GOOD[::-1]}, 3) == []
    assert judge_status(ROWS, 3) == []


@pytest.mark.parametrize(
    "members",
    [
        GOOD[:2],
        [*GOOD, member(4)],
        [*GOOD[:2], member(3, learner=True)],
        [*GOOD[:2], member(3, name="")],
        [*GOOD[:2], member(3, peers=GOOD[0].peers)],
    ],
)
def test_bad_member_lists(members: list[EtcdMember]) -> None:
    """Two, four, a learner, one that never started, a shared peer address, and members that disagree."""
    assert judge_members({"a": members}, 3)
    assert judge_members({"a": GOOD, "b": members}, 3)


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:2],
        [*ROWS[:2], row(2)],
        [*ROWS[:2], row(3, leader=0)],
        [row(i, leader=0) for i in (1, 2, 3)],
        [row(i, leader=9) for i in (1, 2, 3)],
        [*ROWS[:2], row(3, errors=("no leader",))],
        [*ROWS[:2], row(3, learner=True)],
        [*ROWS[:2], row(3, applied=0, index=5000)],
        [*ROWS[:2], row(3, version="3.5.9")],
        [*ROWS[:2], row(3, leader=2)],
        [],
    ],
)
def test_bad_status_rows(rows: list[EtcdStatus]) -> None:
    """A row missing or twice, no or a foreign leader, an error, a learner, a laggard, a skew, nothing."""
    assert judge_status(rows, 3)
