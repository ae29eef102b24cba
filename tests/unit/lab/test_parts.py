"""Which parts a lab is started with: all of them, or all but some and what needs those."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import parts


def names(some: tuple[parts.Part, ...]) -> list[str]:
    return [part.name for part in some]


def test_nothing_left_out_is_everything_in_order() -> None:
    assert names(parts.without([])) == list(parts.ORDER)


def test_what_needs_a_part_goes_with_it() -> None:
    assert names(parts.without(["vault"])) == ["objectstore", "backups"]
    assert names(parts.without(["postgres", "vault_snapshots"])) == [
        "objectstore",
        "vault",
        "secrets",
        "backups",
    ]


def test_a_part_brings_what_it_needs() -> None:
    assert names(parts.chosen(["vault_snapshots"])) == ["objectstore", "vault", "backups", "vault_snapshots"]


@pytest.mark.parametrize("choose", [parts.without, parts.chosen])
def test_an_unknown_name_is_said(choose: Callable[[list[str]], object]) -> None:
    with pytest.raises(RuntimeError, match="vualt: no such part; there are objectstore, vault"):
        choose(["vualt"])


def test_controls_of_an_absent_part_are_not_applicable_with_the_reason() -> None:
    absent = parts.left_out(parts.without(["postgres"]))
    assert absent["DEP-13"] == "the lab was started without postgres"
    assert "SEC-24" not in absent
