"""When a Deployment counts as rolled out, and what a change to its pods looks like."""

from __future__ import annotations

import pytest

from assay.proof.rollouts import rolled_out, with_variables


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2}, False),
        ({}, False),
    ],
)
def test_rolled_out_is_every_replica_new_and_available(status: dict[str, int], done: bool) -> None:
    found = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}
    assert rolled_out(found) is done


def test_only_the_first_container_gets_the_variables() -> None:
    spec = {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}
    changed = with_variables(spec, [{"name": "Y", "value": "2"}])
    assert [one["name"] for one in changed["containers"][0]["env"]] == ["X", "Y"]
    assert changed["containers"][1] == {"name": "b"}
    assert spec["containers"][0]["env"] == [{"name": "X", "value": "1"}]
