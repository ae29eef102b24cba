"""Machine configurations as they were rendered: files of a folder, or what Terraform applied.

They hold secrets; only where two differ is ever said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.formats.resource import Resource
from assay.probes.talos.diff import differences
from assay.probes.talos.facts import Document, Machine, yaml_documents
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.state import TerraformState


APPLIED = "talos_machine_configuration_apply"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One rendered configuration.

    Attributes:
        ref: `File name`, or the address in a state or plan.
        names: what its node may be called, or its address: the hostname inside it; where it has none, the
            file's name or what Terraform applies it to.
        hosted: a hostname stands inside it.
        role: `controlplane` or `worker`.
        documents: the configuration.
    """

    ref: str
    names: tuple[str, ...]
    hosted: bool
    role: str
    documents: tuple[Document, ...] = field(repr=False)

    def is_of(self, node: Machine) -> bool:
        """Return whether it was rendered for this node alone."""
        return any(_same(name, node) for name in self.names)


def from_folder(folder: Path) -> tuple[Rendered, ...]:
    """Return the configuration in each `*.yaml` of a folder, by the hostname inside, else by the file's name.

    Raises:
        ProbeError: none is there, or one cannot be read or is not a machine configuration.
    """
    found = []
    for file in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            why = f"{file.name}: cannot be read: {type(problem).__name__}"
            raise ProbeError(why, "check machineconfigs under [paths]") from None
        found.append(_rendered(f"File {file.name}", text, file.name, (file.stem,)))
    if not found:
        raise ProbeError(f"{folder.name}: no *.yaml in it", "render the machine configurations there")
    return tuple(found)


@parsing(
    "a machine configuration in Terraform's state or plan", "run terraform apply, then pull the state again"
)
def from_terraform(resources: Iterable[Resource]) -> list[Rendered]:
    """Return what Terraform's Talos provider applied, or will apply, where the state or the plan knows it.

    Raises:
        ProbeError: one is not a machine configuration.
    """
    known = [one for one in resources if one.type == APPLIED]
    return [
        _rendered(one.address, text, one.where, (str(one.attributes.get("node")),))
        for one in known
        if isinstance(text := one.attributes.get("machine_configuration"), str) and text
    ]


def from_terraform_files(
    states: Iterable[TerraformState], plans: Iterable[TerraformPlan]
) -> tuple[Rendered, ...]:
    """Return what the states know of configurations, or where they know none, the plans; not the encrypted.

    Raises:
        ProbeError: one of them cannot be read.
    """
    applied = from_terraform(one for state in states if not state.encrypted for one in state.resources)
    return tuple(applied or from_terraform(one for plan in plans for one in plan.resources))


def _rendered(ref: str, text: str, what: str, otherwise: tuple[str, ...]) -> Rendered:
    documents = tuple(yaml_documents(text, what))
    with parsing(what, "check that it is a machine configuration"):
        machine: Document = next((one["machine"] for one in documents if "machine" in one), {}) or {}
        hosts = [one.get("hostname") for one in documents if one.get("kind") == "HostnameConfig"]
        hosts.append((machine.get("network") or {}).get("hostname"))
        role = "controlplane" if machine.get("type") in {"controlplane", "init"} else "worker"
    named = tuple(str(host) for host in hosts if host)
    return Rendered(ref, named or otherwise, bool(named), role, documents)


def _same(name: str, node: Machine) -> bool:
    """Return whether a hostname, a file's stem or an address is this node's; `cluster-node` is."""
    own = {node.name, node.address}
    return name in own or name.partition(".")[0] == node.name or name.endswith(f"-{node.name}")


def for_node(rendered: Sequence[Rendered], node: Machine, all_nodes: Sequence[Machine]) -> list[Rendered]:
    """Return what was rendered for a node: its own, else those of its role that are of no node at all.

    A node that an autoscaler made has none of its own.
    """
    own = [one for one in rendered if one.is_of(node)]
    return own or [
        one
        for one in rendered
        if one.role == node.role and not one.hosted and not any(map(one.is_of, all_nodes))
    ]


def nearest_differences(candidates: Iterable[Rendered], found: Iterable[Document]) -> list[str]:
    """Return where a node's configuration differs from the nearest of those rendered for it, at least one."""
    documents = list(found)
    return min((differences(one.documents, documents) for one in candidates), key=len)


def unused(rendered: Iterable[Rendered], nodes: Sequence[Machine]) -> Iterator[Rendered]:
    """Yield each configuration with a hostname that none of the nodes has."""
    yield from (one for one in rendered if one.hosted and not any(map(one.is_of, nodes)))
