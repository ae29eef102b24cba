"""NODE-03: a writable place that should not be."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


def mounted(plant: Plant, destination: str, source: str) -> Iterator[Named]:
    """Give the last worker's kubelet a writable bind mount."""
    name = list(plant.profile.talos.workers)[-1]
    options = ["bind", "rshared", "rw"]
    mount = {"destination": destination, "type": "bind", "source": source, "options": options}
    with plant.talos_api.patched(name, {"machine": {"kubelet": {"extraMounts": [mount]}}}) as machine:
        yield Named(machine.ref)


@violation()
def writable_kubelet_mount(plant: Plant) -> Iterator[Named]:
    """The kubelet of one worker has a writable bind mount of a host folder."""
    yield from mounted(plant, "/var/lib/assay-planted", "/var/lib/assay-planted")


@violation()
def user_volume_that_leads_elsewhere(plant: Plant) -> Iterator[Named]:
    """Another folder of the host is mounted where the kubelet expects a user volume."""
    yield from mounted(plant, "/var/mnt/assay-planted", "/var/lib/assay-planted")
