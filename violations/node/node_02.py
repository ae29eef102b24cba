"""NODE-02: something listens on the SSH port of a node."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.plant import Named, Plant


@contextmanager
def ssh_port_open(plant: Plant) -> Iterator[Named]:
    """Listen on port 22 in the network of the last worker, so that looking at one node only would miss it."""
    name = list(plant.profile.talos.workers)[-1]
    with plant.talos_api.listening(name, 22) as machine:
        yield Named(machine.named)


PLANTED = [ssh_port_open]
