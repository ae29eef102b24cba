"""Control planes as other tools than Terraform declare them: Cluster API, Omni, talhelper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.yaml_text import Document, documents, text_of


GROUP = "controlplane.cluster.x-k8s.io"
CLUSTER = "cluster.x-k8s.io"
TOPOLOGY = ("spec", "topology", "controlPlane")


@dataclass(frozen=True, slots=True)
class DeclaredPlanes:
    """A declaration of control planes: `File path:line`, and how many; None where that is not written."""

    ref: str
    count: int | None


def planes_below(folder: Path) -> list[DeclaredPlanes]:
    """Return what the files below a folder declare; a template that is not YAML yet declares nothing."""
    found = list[DeclaredPlanes]()
    for file in sorted(folder.rglob("*.y*ml")):
        name = str(file.relative_to(folder.parent))
        try:
            docs = documents(text_of(file, name), name)
            found += declared_planes(partial("File {}:{}".format, name), docs)
        except ProbeError:
            continue
    return found


def declared_planes(ref_of: Callable[[int], str], docs: Iterable[Document]) -> Iterator[DeclaredPlanes]:
    """Yield each declaration of control planes in the documents of a file; `ref_of` names its lines."""
    for doc in docs:
        kind, group = doc.get("kind"), doc.get("apiVersion").partition("/")[0]
        ref = ref_of(doc.line)
        if group == GROUP and kind.endswith("ControlPlane"):
            yield DeclaredPlanes(ref, _number(doc.get("spec", "replicas") or "1"))
        elif group == CLUSTER and kind == "Cluster" and doc.under(*TOPOLOGY):
            yield DeclaredPlanes(ref, _number(doc.get(*TOPOLOGY, "replicas") or "1"))
        elif kind == "ControlPlane" and not group:
            listed, size = len(doc.keys.get(("machines",), ())), doc.get("machineClass", "size")
            yield DeclaredPlanes(ref, _number(size) if size else listed or None)
        elif doc.get("clusterName") and doc.keys.get(("nodes",)):
            nodes = [doc.get("nodes", n, "controlPlane").lower() for n in doc.keys["nodes",]]
            yield DeclaredPlanes(ref, sum(one in {"true", "yes", "on"} for one in nodes))


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None
