"""NODE-01: a machine of another system in the cluster, and one of another release."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.node_faults import other_image
from assay.proof.plant import Plant
from assay.proof.violation import violation


@violation()
def foreign_node(plant: Plant) -> Iterator[Named]:
    """A node that was not declared registers itself, as a hand-installed Ubuntu server would."""
    spec = {"unschedulable": True, "taints": [{"key": "assay.dev/planted", "effect": "NoExecute"}]}
    manifest = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "assay-planted-ubuntu"},
        "spec": spec,
    }
    with plant.apply(manifest) as ref:
        yield ref


@violation()
def release_behind(plant: Plant) -> Iterator[Named]:
    """A worker runs a Talos release that is not the pinned one."""
    yield from other_image(plant)
