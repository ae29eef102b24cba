"""Label selectors: an evasion is never selected, what is selected is."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from assay.errors import ProbeError
from assay.probes.kube.selectors import OWN_NAME, Requirement, Selector, selector


KEYS = some.sampled_from(["a", "b", "c"])
VALUES = some.lists(some.sampled_from(["x", "y", "z"]), min_size=1, max_size=2, unique=True).map(tuple)
REQUIREMENTS = some.one_of(
    some.builds(Requirement, KEYS, some.sampled_from(["In", "NotIn"]), VALUES),
    some.builds(Requirement, KEYS, some.sampled_from(["Exists", "DoesNotExist"])),
)


@given(some.lists(REQUIREMENTS, max_size=4), some.dictionaries(KEYS, some.sampled_from(["x", "w"])))
def test_an_evasion_is_never_selected(rows: list[Requirement], labels: dict[str, str]) -> None:
    known = Selector(tuple(rows))
    assert not any(known.selects(evasion) for evasion in known.evasions(labels))


@given(REQUIREMENTS)
def test_each_requirement_can_be_met_and_evaded(row: Requirement) -> None:
    known = Selector((row,))
    assert known.selects(known.selected())
    assert known.evasions(known.selected())


def test_opt_in_and_opt_out() -> None:
    opt_in = selector({"matchLabels": {"check": "on"}})
    assert opt_in.selected() == {"check": "on"}
    assert opt_in.evasions({"check": "on"}) == [{}, {"check": "assay-other"}]
    opt_out = selector({"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]})
    assert opt_out.selected() == {}
    assert opt_out.evasions({}) == [{"skip": "true"}]


def test_the_name_of_a_namespace_cannot_be_chosen() -> None:
    named = {"key": OWN_NAME, "operator": "NotIn", "values": ["kube-system"]}
    known = selector({"matchExpressions": [named]})
    assert known.evasions({}) == []
    assert known.selected() == {}


def test_a_selector_without_requirements_selects_everything() -> None:
    assert selector({}).selects({"any": "thing"})
    assert selector({}).evasions({}) == []


@pytest.mark.parametrize(("value", "held"), [(None, True), ("x", False), ("y", True)])
def test_not_in_holds_without_the_label(value: str | None, held: bool) -> None:
    assert Requirement("a", "NotIn", ("x",)).holds({} if value is None else {"a": value}) is held


@given(
    some.dictionaries(some.sampled_from(["matchLabels", "matchExpressions"]), some.none() | some.integers())
)
def test_any_answer_is_a_selector_or_a_probe_error(item: dict[str, Any]) -> None:
    with contextlib.suppress(ProbeError):
        selector(item)
