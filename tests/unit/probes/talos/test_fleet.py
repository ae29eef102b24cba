"""The nodes of a platform from three sources, none of which is complete."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.profile import TalosAccess
from assay.errors import ProbeError
from assay.probes.kube.facts import KubeNode
from assay.probes.talos.facts import Machine
from assay.probes.talos.fleet import Fleet, Member, assemble, expected_nodes, read_members


LABEL = "node-role.kubernetes.io/control-plane"
DOWN = ProbeError("the API does not answer", "ask again")


def node(name: str, address: str = "", plane: bool = False, kind: str = "InternalIP") -> KubeNode:
    labels = {LABEL: ""} if plane else {}
    addresses = ((kind, address),) if address else ()
    return KubeNode(name, labels, (), "Talos (v1.13.5)", "v1.36.3", True, False, addresses)


def member(name: str, role: str = "worker", *addresses: str) -> Member:
    return Member(name, role, addresses or ("10.0.0.9",), "Talos (v1.13.5)")


def machine(name: str, address: str, role: str = "worker") -> Machine:
    return Machine(name, address, role)


def found(nodes: Any, members: Any = None, wanted: Any = ()) -> Fleet:  # noqa: ANN401 - of any source
    return assemble(nodes, members, wanted, LABEL)


def test_the_cluster_alone_is_enough() -> None:
    fleet = found([node("w-1", "10.0.0.2"), node("cp-1", "10.0.0.1", plane=True)])
    assert fleet.machines == (machine("cp-1", "10.0.0.1", "controlplane"), machine("w-1", "10.0.0.2"))
    assert (fleet.missing, fleet.problem, fleet.in_talos) == ((), None, None)


def test_a_worker_that_an_autoscaler_added_is_a_node_like_any_other() -> None:
    fleet = found([node("w-1", "10.0.0.2"), node("auto-7", "10.0.0.77")], None, [machine("w-1", "10.0.0.2")])
    assert [one.name for one in fleet.machines] == ["auto-7", "w-1"]
    assert not fleet.missing


def test_a_worker_that_is_expected_and_gone_is_missing_and_not_asked() -> None:
    fleet = found([node("w-1", "10.0.0.2")], None, [machine("w-1", "10.0.0.2"), machine("w-2", "10.0.0.3")])
    assert [one.name for one in fleet.machines] == ["w-1"]
    assert [one.name for one in fleet.missing] == ["w-2"]


def test_a_control_plane_that_is_expected_is_always_asked() -> None:
    wanted = [machine("cp-1", "10.0.0.1", "controlplane"), machine("cp-2", "10.0.0.2", "controlplane")]
    fleet = found([node("cp-1", "10.0.0.1", plane=True)], None, wanted)
    assert [one.name for one in fleet.machines] == ["cp-1", "cp-2"]
    assert [one.name for one in fleet.missing] == ["cp-2"]


def test_the_profile_stands_in_for_an_api_that_is_down_and_says_so() -> None:
    fleet = found(DOWN, None, [machine("w-1", "10.0.0.2")])
    assert [one.name for one in fleet.machines] == ["w-1"]
    assert fleet.problem is DOWN
    assert "could not be asked" in fleet.source


def test_a_member_of_talos_that_kubernetes_does_not_know_is_a_node() -> None:
    fleet = found([node("cp-1", "10.0.0.1", plane=True)], [member("lost", "worker", "10.0.0.8")])
    assert machine("lost", "10.0.0.8") in fleet.machines
    assert (fleet.in_kubernetes, fleet.in_talos) == ({"cp-1"}, {"lost"})


def test_talos_decides_the_role_and_the_profile_the_address() -> None:
    wanted = [machine("n", "203.0.113.7")]
    fleet = found([node("n", "10.0.0.1")], [member("n", "controlplane", "10.0.0.1", "203.0.113.7")], wanted)
    assert fleet.machines == (machine("n", "203.0.113.7", "controlplane"),)


def test_an_internal_address_goes_before_an_external_one() -> None:
    both = KubeNode(
        "n", {}, (), "", "", True, False, (("ExternalIP", "203.0.113.7"), ("InternalIP", "10.0.0.1"))
    )
    assert found([both]).machines[0].address == "10.0.0.1"


def test_the_profile_s_nodes_are_read_control_planes_first() -> None:
    access = TalosAccess(controlplanes={"b": "2", "a": "1"}, workers={"0": "3"})
    assert [one.name for one in expected_nodes(access)] == ["a", "b", "0"]


MEMBER = {
    "metadata": {"id": "cp-1", "type": "Members.cluster.talos.dev"},
    "spec": {
        "addresses": ["10.0.0.1", "2001:db8::1"],
        "controlPlane": {"port": 6443},
        "hostname": "cp-1.example.org",
        "machineType": "controlplane",
        "nodeId": "x",
        "operatingSystem": "Talos (v1.13.5)",
    },
}


def test_members_as_talos_prints_them() -> None:
    (one,) = read_members([MEMBER])
    assert one == Member("cp-1", "controlplane", ("10.0.0.1", "2001:db8::1"), "Talos (v1.13.5)")
    assert read_members([]) == []


@pytest.mark.parametrize("key", ["addresses", "machineType"])
def test_a_member_without_what_it_must_have_is_an_error(key: str) -> None:
    about = {name: value for name, value in MEMBER["spec"].items() if name != key}  # type: ignore[attr-defined]
    with pytest.raises(ProbeError, match="members"):
        read_members([{**MEMBER, "spec": about}])


NAMES = st.sampled_from(["a", "b", "c", "d"])


@given(st.sets(NAMES), st.none() | st.sets(NAMES), st.sets(NAMES))
def test_every_node_that_a_cluster_knows_is_judged(
    kube: set[str], talos: set[str] | None, wanted: set[str]
) -> None:
    members = None if talos is None else [member(name) for name in talos]
    fleet = found([node(name) for name in kube], members, [machine(name, "1") for name in wanted])
    known = kube | (talos or set())
    assert {one.name for one in fleet.machines} == (known or wanted)
    assert {one.name for one in fleet.missing} == (wanted - known if known else set())
