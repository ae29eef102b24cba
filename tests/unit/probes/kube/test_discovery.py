"""The API servers that a cluster lists: all of them, or an error that names those that are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.errors import ProbeError
from assay.probes.kube.client import Kube
from tests.unit.support.api_server import Reply, kubeconfig, listed, served


SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def node(name: str, address: str, plane: bool = True) -> dict[str, Any]:
    labels = {"node-role.kubernetes.io/control-plane": ""} if plane else {}
    addresses = [{"type": "InternalIP", "address": address}]
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"addresses": addresses}}


def slice_of(*addresses: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": f"kubernetes-{len(addresses)}"},
        "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
        "endpoints": [{"addresses": list(addresses)}],
    }


NODES = [
    node("cp-1", "192.0.2.11"),
    node("cp-2", "192.0.2.12"),
    node("cp-3", "192.0.2.13"),
    node("w", "192.0.2.21", False),
]


def servers(tmp_path: Path, *slices: dict[str, Any]) -> Kube:
    def answer(_method: str, path: str, _query: dict[str, str], _sent: object) -> Reply:
        return listed(list(slices)) if path == SLICES else listed(NODES)

    with served(tmp_path, answer) as kube:
        asked = Kube(kubeconfig(tmp_path, kube.apiservers[0]))
        assert asked.servers.source == "the EndpointSlice kubernetes"
        return asked


def test_the_cluster_lists_its_api_servers(tmp_path: Path) -> None:
    known = servers(tmp_path, slice_of("192.0.2.13", "192.0.2.11"), slice_of("192.0.2.12", "2001:db8::1"))
    assert known.apiservers == (
        "https://192.0.2.11:6443", "https://192.0.2.12:6443", "https://192.0.2.13:6443",
        "https://[2001:db8::1]:6443",
    )  # fmt: skip


def test_the_profile_goes_before_the_cluster(tmp_path: Path) -> None:
    kube = Kube(kubeconfig(tmp_path, "https://192.0.2.10:6443"), ("https://192.0.2.11:6443",))
    assert (kube.apiservers, kube.servers.source) == (("https://192.0.2.11:6443",), "the profile")


@pytest.mark.parametrize(
    ("slices", "why"),
    [
        ([], "no address"),
        ([slice_of()], "no address"),
        ([slice_of("192.0.2.11", "192.0.2.13")], "2 of 3 .* not those of cp-2"),
        ([{"metadata": {"name": "x"}, "ports": [{}], "endpoints": [{"addresses": ["a"]}]}], "another shape"),
    ],
)
def test_a_list_that_is_not_whole_is_an_error(tmp_path: Path, slices: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(ProbeError, match=why) as caught:
        servers(tmp_path, *slices)
    assert caught.value.remedy


def test_several_servers_that_are_gone_are_all_named(tmp_path: Path) -> None:
    gone = ("https://127.0.0.1:1", "https://127.0.0.1:2")
    kube = Kube(kubeconfig(tmp_path, gone[0]), gone)
    with pytest.raises(ProbeError, match=r"127.0.0.1:1: .*also failed: https://127.0.0.1:2\)"):
        kube.together([lambda server=server: kube.version(server) for server in gone])
