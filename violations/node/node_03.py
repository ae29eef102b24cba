"""NODE-03: a writable place that should not be."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


@violation()
def writable_kubelet_mount(plant: Plant) -> Iterator[Named]:
    """The kubelet of one worker has a writable bind mount of a host folder."""
    name = list(plant.profile.talos.workers)[-1]
    mount = {
        "destination": "/var/lib/assay-planted",
        "type": "bind",
        "source": "/var/lib/assay-planted",
        "options": ["bind", "rshared", "rw"],
    }
    with plant.talos_api.patched(name, {"machine": {"kubelet": {"extraMounts": [mount]}}}) as machine:
        yield Named(machine.ref)
