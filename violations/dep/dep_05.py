"""DEP-05: a configuration changed by hand, one that waits for the next boot, and one that nobody rendered."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


PATCH = {"machine": {"nodeAnnotations": {"assay.dev/planted": "by-hand"}}}


@violation()
def patched_by_hand(plant: Plant) -> Iterator[Named]:
    """The configuration of one control plane is changed by hand."""
    with plant.talos_api.patched(list(plant.profile.talos.controlplanes)[1], PATCH) as machine:
        yield Named(machine.ref)


@violation()
def staged(plant: Plant) -> Iterator[Named]:
    """A change is staged on one worker: it runs the right configuration until its next boot."""
    with plant.talos_api.patched(list(plant.profile.talos.workers)[-1], PATCH, mode="staged") as machine:
        yield Named(machine.ref)


@violation()
def never_rendered(plant: Plant) -> Iterator[Named]:
    """A worker runs a configuration for which there is no rendered file."""
    name = list(plant.profile.talos.workers)[-1]
    with plant.copied("machineconfigs") as folder:
        (folder / f"{name}.yaml").unlink()
        yield Named(f"Node {name}")
