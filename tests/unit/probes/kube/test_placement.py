"""To which pools a pod is bound, by selector and by required node affinity."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ProbeError
from assay.probes.kube.facts import shape
from assay.probes.kube.placement import bound_to


LABEL = "node.example.com/pool"
POOLS = ("ai", "app", "db")


def bound(terms: Any = None, **selector: str) -> list[str] | None:  # noqa: ANN401 - as the API writes it
    required = {"nodeSelectorTerms": terms} if terms is not None else None
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    spec = {"containers": [{"name": "c"}], "nodeSelector": selector, "affinity": affinity}
    pod = shape(spec)
    found = bound_to(pod.node_selector, pod.node_terms, LABEL, POOLS)
    return None if found is None else sorted(found)


def term(operator: str, *values: str, key: str = LABEL) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


CASES: dict[str, tuple[Any, dict[str, str], list[str] | None]] = {
    "nothing": (None, {}, None),
    "a selector": (None, {LABEL: "db"}, ["db"]),
    "a selector of something else": (None, {"disk": "ssd"}, None),
    "affinity": ([term("In", "db")], {}, ["db"]),
    "affinity to two": ([term("In", "db", "ai")], {}, ["ai", "db"]),
    "one of two alternatives is free": ([term("In", "db"), term("In", "ssd", key="disk")], {}, None),
    "two alternatives": ([term("In", "db"), term("In", "ai")], {}, ["ai", "db"]),
    "all but one": ([term("NotIn", "db")], {}, ["ai", "app"]),
    "both": ([term("In", "db", "ai")], {LABEL: "db"}, ["db"]),
    "a contradiction": ([term("In", "ai")], {LABEL: "db"}, []),
    "an operator nobody knows": ([term("Gt", "1")], {}, []),
}


@pytest.mark.parametrize(("terms", "selector", "wanted"), CASES.values(), ids=CASES)
def test_what_a_pod_is_bound_to(terms: Any, selector: dict[str, str], wanted: list[str] | None) -> None:  # noqa: ANN401
    assert bound(terms, **selector) == wanted


def test_an_affinity_in_another_shape_is_an_error() -> None:
    with pytest.raises(ProbeError):
        bound([{"matchExpressions": [{"key": LABEL}]}])


@given(st.lists(st.lists(st.sampled_from(POOLS), min_size=1), min_size=1, max_size=3))
def test_a_pod_is_bound_to_what_one_of_its_terms_allows(terms: list[list[str]]) -> None:
    assert bound([term("In", *values) for values in terms]) == sorted({one for row in terms for one in row})
