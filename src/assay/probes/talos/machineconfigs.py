"""Rendered machine configurations, as files.

What each node is, and what pods may ask of it. Nothing else of them is kept; they hold secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.yaml_text import documents, text_of


@dataclass(frozen=True, slots=True)
class MachineType:
    """One rendered configuration: `File name`, and `controlplane` or `worker`."""

    ref: str
    type: str


def machine_types(folder: Path) -> list[MachineType]:
    """Return the machine type of every `*.yaml` in a folder, by name.

    Raises:
        ProbeError: a file cannot be read, or does not say what its machine is.
    """
    return [_of(file) for file in sorted(folder.glob("*.yaml"))]


@dataclass(frozen=True, slots=True)
class PodAccess:
    """Where a configuration or a patch lets pods ask for Talos credentials: which roles, which namespaces."""

    ref: str
    roles: tuple[str, ...]
    namespaces: tuple[str, ...]


def pod_access(folder: Path) -> list[PodAccess]:
    """Return every place below `folder` that lets pods ask for roles of the Talos API, by file and line.

    Raises:
        ProbeError: a file cannot be read.
    """
    place = ("machine", "features", "kubernetesTalosAPIAccess")
    found = []
    for file in sorted(folder.rglob("*.yaml")):
        for document in documents(text_of(file, file.name), file.name):
            leaves = document.under(*place)
            roles = tuple(leaf.text for leaf in leaves if "allowedRoles" in leaf.path)
            spaces = tuple(leaf.text for leaf in leaves if "allowedKubernetesNamespaces" in leaf.path)
            if leaves:
                ref = f"File {file.relative_to(folder.parent)}:{leaves[0].line}"
                found.append(PodAccess(ref, roles, spaces))
    return found


def _of(file: Path) -> MachineType:
    found = documents(text_of(file, file.name), file.name)
    types = {document.get("machine", "type") for document in found} - {""}
    if len(types) != 1:
        raise ProbeError(f"{file.name}: does not say one machine.type", "render it again")
    kind = types.pop()
    return MachineType(f"File {file.name}", "controlplane" if kind == "init" else kind)
