"""DR-04: new objects hold state and were never restored; a record was changed after it was signed."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.signed_records import signed_record
from assay.proof.state import unmapped_claim
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
    yield from unmapped_claim(plant)


@violation()
def host_folder(plant: Plant) -> Iterator[Named]:
    """A pod keeps data in a folder of its node that outlives the pod."""
    volume = {"name": "data", "hostPath": {"path": "/var/lib/queue", "type": "DirectoryOrCreate"}}
    container = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    with plant.pod("kube-system/assay-queue", spec={"volumes": [volume]}, container=container) as ref:
        yield ref


@violation()
def record_changed(plant: Plant) -> Iterator[Named]:
    """A record of a restore was changed after it was signed."""
    etcd = plant.profile.platform.etcd.name
    with signed_record(plant, etcd, listed=True, changed=("rows = 100", "rows = 900")) as file:
        yield Named(f"Record {file.name}")
