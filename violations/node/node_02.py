"""NODE-02: something listens on the SSH port of a node, or an extension could."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.node_faults import other_image
from assay.proof.plant import Plant
from assay.proof.violation import violation


@violation()
def ssh_port_open(plant: Plant) -> Iterator[Named]:
    """Something listens on port 22 of the last worker, so that looking at one node only would miss it."""
    name = list(plant.profile.talos.workers)[-1]
    with plant.talos_api.listening(name, 22) as machine:
        yield Named(machine.ref)


@violation()
def extension_added(plant: Plant) -> Iterator[Named]:
    """A worker runs an image with a system extension that gives a shell."""
    yield from other_image(plant)
