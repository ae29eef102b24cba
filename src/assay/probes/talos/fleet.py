"""The nodes of the platform: those that Kubernetes has, those that Talos' own members are, those expected.

A node that the profile does not know is judged like any other: an autoscaler may have made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assay.config.profile import Profile, TalosAccess
from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube
from assay.probes.kube.facts import KubeNode
from assay.probes.talos.facts import UPDATE, Document, Machine, spec, talos_identity


CONTROL_PLANE, WORKER = "controlplane", "worker"
KUBERNETES, TALOS, PROFILE = "the Kubernetes API", "Talos' members", "the profile"


@dataclass(frozen=True, slots=True)
class Member:
    """A machine as Talos' own discovery knows it: node name, machine type, addresses, operating system."""

    name: str
    role: str
    addresses: tuple[str, ...]
    system: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every node, from all sources together.

    Attributes:
        machines: every node that somebody knows, control planes first; a worker that only the profile knows
            is not among them, a control plane is.
        in_kubernetes: names that the Kubernetes API has.
        in_talos: names of Talos' members; None: nobody could be asked, or discovery is off.
        missing: nodes that the profile expects and no cluster knows.
        source: where the list is from, for the evidence.
        problem: why the Kubernetes API could not be asked, so that the list may not be whole.
    """

    machines: tuple[Machine, ...]
    in_kubernetes: frozenset[str]
    in_talos: frozenset[str] | None
    missing: tuple[Machine, ...]
    source: str
    problem: ProbeError | None = None


def expected_nodes(access: TalosAccess) -> tuple[Machine, ...]:
    """Return the nodes that the profile names, control planes first."""
    roles = ((CONTROL_PLANE, access.controlplanes), (WORKER, access.workers))
    return tuple(Machine(name, at, role) for role, nodes in roles for name, at in sorted(nodes.items()))


@parsing("Talos' members", UPDATE)
def read_members(documents: Iterable[Document]) -> list[Member]:
    """Return the members of `talosctl get members -o json`; none where Talos' discovery is off.

    Raises:
        ProbeError: a member in another shape.
    """
    found = []
    for one in documents:
        what, about = "Talos' members", spec(one, "Talos' members")
        addresses = tuple(str(address) for address in about["addresses"])
        role = CONTROL_PLANE if about["machineType"] in {"controlplane", "init"} else WORKER
        found.append(
            Member(talos_identity(one, what), role, addresses, str(about.get("operatingSystem", "")))
        )
    return found


def assemble(
    nodes: Sequence[KubeNode] | ProbeError,
    members: Sequence[Member] | None,
    wanted: Sequence[Machine],
    label: str,
) -> Fleet:
    """Return every node that one of the sources knows.

    Args:
        nodes: those of the Kubernetes API, or why it could not be asked.
        members: those of Talos' discovery; None: it is off, or nobody answers.
        wanted: those that the profile names; its address of a node goes before any other.
        label: the label of control planes in Kubernetes.
    """
    expectation = {one.name: one for one in wanted}
    talos = {one.name: one for one in members or ()}
    problem = nodes if isinstance(nodes, ProbeError) else None
    kube = {one.name: one for one in (() if isinstance(nodes, ProbeError) else nodes)}
    known = talos.keys() | kube.keys()
    # Without any other source the profile is the source; a control plane is never an autoscaler's.
    sure = {one.name for one in wanted if one.role == CONTROL_PLANE or not known}
    machines = [
        _machine(name, kube.get(name), talos.get(name), expectation.get(name), label) for name in known | sure
    ]
    return Fleet(
        machines=tuple(sorted(machines, key=lambda one: (one.role != CONTROL_PLANE, one.name))),
        in_kubernetes=frozenset(kube),
        in_talos=frozenset(talos) if members is not None else None,
        missing=tuple(one for one in wanted if known and one.name not in known),
        source=_source(kube, talos, members, expectation),
        problem=problem,
    )


def _machine(
    name: str, node: KubeNode | None, member: Member | None, wanted: Machine | None, label: str
) -> Machine:
    own = [*_addresses(node), *(member.addresses if member else ())]
    address = wanted.address if wanted else next(iter(own), "")
    if member:
        return Machine(name, address, member.role)
    if node:
        return Machine(name, address, CONTROL_PLANE if label in node.labels else WORKER)
    return Machine(name, address, wanted.role if wanted else WORKER)


def _addresses(node: KubeNode | None) -> list[str]:
    """Return the addresses of a node, internal ones first."""
    kinds = ("InternalIP", "ExternalIP")
    return [at for kind in kinds for what, at in (node.addresses if node else ()) if what == kind]


def _source(
    kube: dict[str, Any], talos: dict[str, Any], members: Sequence[Member] | None, wanted: dict[str, Machine]
) -> str:
    parts = [f"{len(kube)} of {KUBERNETES}" if kube else f"{KUBERNETES} could not be asked"]
    parts.append(f"{len(talos)} of {TALOS}" if members is not None else f"{TALOS}: none listed")
    parts.append(f"{len(wanted)} expected by {PROFILE}" if wanted else f"none expected by {PROFILE}")
    return ", ".join(parts)


def find_fleet(profile: Profile, members_by: Callable[[Machine], Iterable[Document]]) -> Fleet:
    """Return the nodes of the stack: of the Kubernetes API, of Talos' members, and what the profile expects.

    Args:
        profile: the stack.
        members_by: returns Talos' members as one control plane knows them.

    Raises:
        ProbeError: no source knows any node.
    """
    wanted, label = expected_nodes(profile.talos), profile.platform.pools.control_label
    nodes: list[KubeNode] | ProbeError
    try:
        nodes = Kube.from_profile(profile).nodes()
    except ProbeError as problem:
        nodes = problem
    planes = [one for one in assemble(nodes, None, wanted, label).machines if one.role == CONTROL_PLANE]
    found = assemble(nodes, _members(planes, members_by), wanted, label)
    if not found.machines:
        raise found.problem or ProbeError("no source knows a node", "check [kube] and [talos] in the profile")
    return found


def _members(
    planes: Iterable[Machine], members_by: Callable[[Machine], Iterable[Document]]
) -> list[Member] | None:
    """Return the members by the first control plane that answers; None: nobody does, or discovery is off."""
    for machine in planes:
        try:
            return read_members(members_by(machine)) or None
        except ProbeError:
            continue
    return None
