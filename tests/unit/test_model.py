"""What a test notes in its record."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from assay.errors import (
    AssayError,
    AssumptionError,
    GuardError,
    PairError,
    PopulationError,
    ProbeError,
    UndeclaredError,
)
from assay.model import Attempt, Control, Offender, Record, Tier, Unread


CONTROL = Control(
    "NET-01", "S.", "s", "Infra", (Tier.LIVE,), "r", lists={"none": (), "one": ("a",), "two": ("a", "b")}
)
HARMLESS = Attempt("Pod a/harmless", admitted=True)


@dataclass(frozen=True)
class Fact:
    ref: str


@pytest.fixture
def record() -> Record:
    return Record(CONTROL)


def test_an_offender_is_named_by_its_ref_or_its_text(record: Record) -> None:
    record.offender(Fact("Pod a/b"), "is bad")
    record.offender("Service etcd", "is old")
    record.offenders([Offender("Node n", "its own reason"), Fact("Pod a/c")], "is bad")
    assert [str(one) for one in record.found] == [
        "Pod a/b: is bad", "Service etcd: is old", "Node n: its own reason", "Pod a/c: is bad",
    ]  # fmt: skip


def test_a_part_that_could_not_be_read_is_noted_with_its_remedy(record: Record) -> None:
    record.unread(Fact("Machine cp-1"), ProbeError("no answer", "check the network"))
    assert record.gaps == [Unread("Machine cp-1", "no answer", "check the network")]


def test_a_scalar_is_the_only_entry_of_a_list(record: Record) -> None:
    assert record.scalar("one") == "a"


@pytest.mark.parametrize(
    ("key", "says"),
    [("none", "has 0 entries, not 1"), ("two", "has 2 entries, not 1"), ("missing", "has no list 'missing'")],
)
def test_any_other_list_is_not_a_scalar(record: Record, key: str, says: str) -> None:
    with pytest.raises(AssumptionError, match=says):
        record.scalar(key)


def test_a_refusal_by_the_layer_counts_beside_an_admitted_baseline(record: Record) -> None:
    assert record.refused(Attempt("Pod a/bad", admitted=False, reason="Gate: no"), HARMLESS, "gate")
    assert not record.found


def test_an_admitted_attempt_is_an_offender(record: Record) -> None:
    assert not record.refused(Attempt("Pod a/bad", admitted=True), HARMLESS, "gate")
    assert record.found == [Offender("Pod a/bad", "admitted")]


@pytest.mark.parametrize(
    ("attempt", "baseline", "says"),
    [
        (Attempt("bad", admitted=False, reason="gate"), Attempt("good", admitted=False), "baseline request"),
        (Attempt("bad", admitted=False, reason="quota"), HARMLESS, "not by gate"),
    ],
)
def test_a_refusal_that_proves_nothing_is_an_error(
    record: Record, attempt: Attempt, baseline: Attempt, says: str
) -> None:
    with pytest.raises(PairError, match=says):
        record.refused(attempt, baseline, "gate")


def test_a_population_that_is_not_whole_is_judged_and_noted_as_unread(record: Record) -> None:
    assert record.population(["a", "b"], of=3) == ["a", "b"]
    assert [(one.ref, one.why) for one in record.gaps] == [("the population", "2 of 3 looked at")]
    assert (record.looked_at, record.expected) == (2, 3)


def test_an_empty_population_is_an_error(record: Record) -> None:
    record.sources = {"vault": None, "kube": None}
    with pytest.raises(PopulationError, match="none of what NET-01 is about in kube, vault"):
        record.population([], of=3)


@pytest.mark.parametrize(
    "problem", [ProbeError("x: is not a folder"), AssumptionError("x"), PopulationError("x")]
)
def test_a_part_that_cannot_be_judged_hides_no_offender_of_another(
    record: Record, problem: AssayError
) -> None:
    with record.part("the plan"):
        record.offender("Secret a/b")
        raise problem
    with record.part("the state"):
        record.offender("Secret c/d")
    assert [one.ref for one in record.found] == ["Secret a/b", "Secret c/d"]
    assert [one.ref for one in record.gaps] == ["the plan"]


@pytest.mark.parametrize("problem", [UndeclaredError("x"), GuardError("x"), AssertionError(), ValueError()])
def test_what_says_more_than_that_a_part_is_unread_ends_the_judgement(
    record: Record, problem: Exception
) -> None:
    with pytest.raises(type(problem)), record.part("the plan"):
        raise problem
