"""Which parts a lab is started with, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import parts
from lab.parts import Part


def names(some: tuple[Part, ...]) -> list[str]:
    return [part.name for part in some]


def test_nothing_left_out_is_every_part() -> None:
    everything = {"backups", "objectstore", "postgres", "secrets", "vault", "vault_snapshots"}
    assert set(names(parts.without([]))) == everything


def test_a_part_starts_after_everything_it_needs() -> None:
    order = names(parts.every())
    assert all(order.index(need) < order.index(part.name) for part in parts.every() for need in part.needs)


def test_order_depends_on_needs_and_not_on_the_order_given() -> None:
    one, two, three = Part("a", needs=("c",)), Part("b"), Part("c", needs=("b",))
    assert (
        names(parts.ordered([one, two, three])) == names(parts.ordered([three, two, one])) == ["b", "c", "a"]
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([Part("a", needs=("ghost",))], "part a needs ghost, which does not exist"),
        ([Part("a", needs=("b",)), Part("b", needs=("a",))], "in a circle"),
    ],
)
def test_needs_that_cannot_be_met_are_reported(given: list[Part], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        parts.ordered(given)


def test_leaving_a_part_out_leaves_out_what_needs_it() -> None:
    assert set(names(parts.without(["vault"]))) == {"objectstore", "backups"}
    left = {"objectstore", "vault", "secrets", "backups"}
    assert set(names(parts.without(["postgres", "vault_snapshots"]))) == left


def test_a_part_brings_what_it_needs() -> None:
    chosen = {"objectstore", "vault", "backups", "vault_snapshots"}
    assert set(names(parts.chosen(["vault_snapshots"]))) == chosen


@pytest.mark.parametrize("choose", [parts.without, parts.chosen])
def test_an_unknown_name_is_reported_with_the_known_ones(choose: Callable[[list[str]], object]) -> None:
    with pytest.raises(RuntimeError, match=r"vualt: no such part; known parts: .*objectstore, vault"):
        choose(["vualt"])


def test_controls_of_an_absent_part_are_not_applicable_with_the_reason() -> None:
    absent = parts.left_out(parts.without(["postgres"]))
    assert absent["DEP-13"] == "the lab was started without postgres"
    assert "SEC-24" not in absent
