"""DR-04: new objects hold state, and their restore was never drilled."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


@violation()
def new_stateful_set(plant: Plant) -> Iterator[Named]:
    """A StatefulSet whose restore was never drilled."""
    labels = {"app.kubernetes.io/name": "queue"}
    spec = {
        "serviceName": "queue",
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": plant.pod_spec(),
        },
    }
    meta = {"namespace": "assay-planted", "name": "queue"}
    with plant.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec}) as ref:
        yield ref


@violation()
def new_claim(plant: Plant) -> Iterator[Named]:
    """A PersistentVolumeClaim that belongs to no StatefulSet."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    meta = {"namespace": "assay-planted", "name": "uploads"}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}
    with plant.apply(body) as ref:
        yield ref
