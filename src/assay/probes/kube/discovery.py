"""What the cluster says of its own API: where its servers are, and everything that they know how to list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.probes.kube.facts import CONTROL_PLANE, KubeNode
from assay.probes.kube.fields import mappings_at
from assay.probes.kube.wire import Wire


SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
SERVICE = {"labelSelector": "kubernetes.io/service-name=kubernetes"}


@dataclass(frozen=True, slots=True)
class KubeServers:
    """Every API server by its own address (`https://host:port`), and where that is known from."""

    addresses: tuple[str, ...]
    source: str


@parsing("the EndpointSlice kubernetes")
def find_apiservers(wire: Wire, nodes: Iterable[KubeNode]) -> KubeServers:
    """Return the API servers as they list themselves, in the EndpointSlices of the service `kubernetes`.

    A server that is down leaves that list after some seconds, so it must be as long as the cluster has
    control planes, where those are nodes of it.

    Args:
        wire: the connection to any of them.
        nodes: every node of the cluster.

    Raises:
        ProbeError: no address in the list, or fewer than control planes; names those without one.
    """
    found = [
        (str(address), int(port["port"]))
        for item in wire.items(SLICES, **SERVICE)
        for port in mappings_at(item, "ports")
        for endpoint in mappings_at(item, "endpoints")
        for address in endpoint["addresses"]
    ]
    planes = [node for node in nodes if CONTROL_PLANE in node.labels]
    by_hand = "list every one's own address as apiservers under [kube]"
    if not found:
        raise ProbeError(f"{wire.server}: no address in the EndpointSlice kubernetes", by_hand)
    hosts = {host for host, _ in found}
    if len(hosts) < len(planes):
        silent = [one.name for one in planes if not hosts & {address for _, address in one.addresses}]
        message = (
            f"{len(hosts)} of {len(planes)} API servers list themselves, not those of {', '.join(silent)}"
        )
        raise ProbeError(message, f"look at these control planes, or {by_hand}")
    written = {f"https://{f'[{host}]' if ':' in host else host}:{port}" for host, port in found}
    return KubeServers(tuple(sorted(written)), "the EndpointSlice kubernetes")


def api_resources(wire: Wire, verbs: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (API version, kind, path) of every resource that has all of `verbs`, once.

    In its group's preferred version, or where that does not know it in the first that does.

    Raises:
        ProbeError: the server's own lists cannot be read.
    """
    groups = mappings_at(wire.get("/apis"), "groups")
    seen = set()
    for version in ["v1", *(version for group in groups for version in _versions(group))]:
        root, group = (f"/apis/{version}" if "/" in version else f"/api/{version}"), version.partition("/")[0]
        for resource in mappings_at(wire.get(root), "resources"):
            if set(resource.get("verbs", ())) >= verbs and "/" not in resource["name"]:
                if (group, resource["name"]) not in seen:
                    yield version, str(resource["kind"]), f"{root}/{resource['name']}"
                seen.add((group, resource["name"]))


def served(wire: Wire, group: str) -> dict[str, str]:
    """Return name -> path of every resource of one API group; none where the API knows no such group.

    In the group's preferred version, or where that does not know it in the first that does.

    Raises:
        ProbeError: the server's own lists cannot be read.
    """
    answer = wire.ask("GET", f"/apis/{group}")
    if answer.status == 404:
        return {}
    found: dict[str, str] = {}
    for version in _versions(wire.need(answer, "GET", f"/apis/{group}").body):
        for resource in mappings_at(wire.get(f"/apis/{version}"), "resources"):
            found.setdefault(str(resource["name"]), f"/apis/{version}/{resource['name']}")
    return found


def _versions(group: Mapping[str, Any]) -> Iterator[str]:
    """Yield the versions of an API group, the preferred one first."""
    preferred = str(group["preferredVersion"]["groupVersion"])
    yield preferred
    yield from (
        name for one in mappings_at(group, "versions") if (name := str(one["groupVersion"])) != preferred
    )
