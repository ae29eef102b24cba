"""Machine configurations and patches, as files: what pods may ask of the Talos API. Nothing else is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.formats.yaml_text import documents, text_of
from assay.probes.talos.configuration import POD_ACCESS


@dataclass(frozen=True, slots=True)
class PodAccess:
    """Where a configuration or a patch lets pods ask for Talos credentials: which roles, which namespaces."""

    ref: str
    roles: tuple[str, ...]
    namespaces: tuple[str, ...]


PLACE = ("machine", "features", "kubernetesTalosAPIAccess")


def pod_access(folder: Path) -> list[PodAccess]:
    """Return every place below `folder` that lets pods ask for roles of the Talos API, by file and line.

    Raises:
        ProbeError: a file cannot be read.
    """
    found = []
    for file in sorted((*folder.rglob("*.yaml"), *folder.rglob("*.yml"))):
        for document in documents(text_of(file, file.name), file.name):
            # Talos 1.14 has a document of its own for it; before it was a part of the machine's.
            own = document.get("kind") == POD_ACCESS
            leaves = document.under(*(() if own else PLACE))
            roles = tuple(leaf.text for leaf in leaves if "allowedRoles" in leaf.path)
            spaces = tuple(leaf.text for leaf in leaves if "allowedKubernetesNamespaces" in leaf.path)
            if leaves:
                ref = f"File {file.relative_to(folder.parent)}:{leaves[0].line}"
                found.append(PodAccess(ref, roles, spaces))
    return found
