"""Ports of the nodes themselves that Kubernetes opens, by a hostPort or by a Service on a node's address.

The network plugin answers them, so no process listens and no listener table of a node shows them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube
from assay.probes.kube.fields import mapping_at, mappings_at, metadata_of


Item = Mapping[str, Any]
FINISHED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class OpenedPort:
    """A pod or a Service that opens a port of the nodes: `Kind namespace/name`, and how."""

    ref: str
    why: str


@parsing("the ports of pods and Services")
def opened_on_nodes(kube: Kube, port: int, addresses: Collection[str]) -> list[OpenedPort]:
    """Return each pod and Service that makes the nodes answer on a port.

    Args:
        kube: the cluster.
        port: the port of the nodes.
        addresses: every address of every node, as the API has them.

    Raises:
        ProbeError: pods or Services cannot be listed.
    """
    pods = (one for one in kube.objects("Pod") if mapping_at(one, "status").get("phase") not in FINISHED)
    found = [OpenedPort(_ref("Pod", one), f"hostPort {port}") for one in pods if port in _host_ports(one)]
    return found + [
        OpenedPort(_ref("Service", one), why)
        for one in kube.objects("Service")
        for why in _of_service(one, port, addresses)
    ]


def _host_ports(pod: Item) -> set[object]:
    spec = mapping_at(pod, "spec")
    kinds = ("containers", "initContainers")
    containers = (one for kind in kinds for one in mappings_at(spec, kind))
    return {port.get("hostPort") for one in containers for port in mappings_at(one, "ports")}


def _of_service(service: Item, port: int, addresses: Collection[str]) -> Iterator[str]:
    spec = mapping_at(service, "spec")
    ports = mappings_at(spec, "ports")
    if port in {one.get("nodePort") for one in ports}:
        yield f"nodePort {port}"
    if port in {one.get("port") for one in ports}:
        balancer = mapping_at(mapping_at(service, "status"), "loadBalancer")
        ingress = (str(one.get("ip", "")) for one in mappings_at(balancer, "ingress"))
        on_nodes = {*map(str, spec.get("externalIPs") or ()), *ingress} & set(addresses)
        if on_nodes:
            yield f"port {port} on the node address {', '.join(sorted(on_nodes))}"


def _ref(kind: str, item: Item) -> str:
    meta = metadata_of(item)
    return f"{kind} {meta.get('namespace', '')}/{meta.get('name', '')}"
