"""State that a violation puts into a lab: a claim for storage that belongs to no service."""

from __future__ import annotations

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant


def unmapped_claim(plant: Plant) -> Iterator[Named]:
    """Plant a PersistentVolumeClaim that belongs to no service and yield its name; nothing uses it."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    meta = {"namespace": "assay-planted", "name": "uploads"}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}
    with plant.apply(body) as ref:
        yield ref
