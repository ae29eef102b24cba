"""Ports of the nodes that Kubernetes opens and no listener table shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.errors import ProbeError
from assay.probes.kube.exposure import opened_on_nodes
from tests.unit.support.api_server import Reply, listed, served


def pod(
    name: str, ports: list[dict[str, Any]], phase: str = "Running", kind: str = "containers"
) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "c"}], kind: [{"name": "x", "ports": ports}]}
    return {"metadata": {"namespace": "shop", "name": name}, "spec": spec, "status": {"phase": phase}}


def service(name: str, ports: list[dict[str, Any]], ingress: str = "", **spec: object) -> dict[str, Any]:
    balancer = {"loadBalancer": {"ingress": [{"ip": ingress}] if ingress else None}}
    meta = {"namespace": "shop", "name": name}
    return {"metadata": meta, "spec": {"ports": ports, **spec}, "status": balancer}


SSH = {"containerPort": 22}
PODS = [
    pod("by-host-port", [{**SSH, "hostPort": 22}]),
    pod("by-init", [{**SSH, "hostPort": 22}], kind="initContainers"),
    pod("inside-only", [SSH]),
    pod("over", [{**SSH, "hostPort": 22}], "Succeeded"),
    pod("another", [{**SSH, "hostPort": 2222}]),
]
SERVICES = [
    service("inside", [{"port": 22}]),
    service("by-external", [{"port": 22}], externalIPs=["10.0.0.1"]),
    service("elsewhere", [{"port": 22}], externalIPs=["192.0.2.1"]),
    service("by-node-port", [{"port": 80, "nodePort": 22}]),
    service("by-node-balancer", [{"port": 22}], ingress="10.0.0.2"),
    service("by-cloud-balancer", [{"port": 22}], ingress="203.0.113.1"),
]


def opened(tmp_path: Path, pods: list[Any], services: list[Any]) -> list[str]:
    def answer(_method: str, path: str, _query: dict[str, str], _sent: object) -> Reply:
        return listed(pods if path.endswith("/pods") else services)

    with served(tmp_path, answer) as kube:
        return [one.ref for one in opened_on_nodes(kube, 22, ["10.0.0.1", "10.0.0.2"])]


def test_every_way_to_a_port_of_a_node_is_seen(tmp_path: Path) -> None:
    assert opened(tmp_path, PODS, SERVICES) == [
        "Pod shop/by-host-port", "Pod shop/by-init",
        "Service shop/by-external", "Service shop/by-node-port", "Service shop/by-node-balancer",
    ]  # fmt: skip


def test_another_shape_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProbeError):
        opened(tmp_path, [pod("x", [1])], [])  # type: ignore[list-item]
