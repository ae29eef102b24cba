"""NODE-01: a machine of another system in the cluster, and one of another release."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from assay.proof.node_faults import other_image
from assay.proof.plant import Named, Plant


@contextmanager
def foreign_node(plant: Plant) -> Iterator[Named]:
    """Register a node that nobody declared, as a hand-installed Ubuntu server would register itself."""
    spec = {"unschedulable": True, "taints": [{"key": "assay.dev/planted", "effect": "NoExecute"}]}
    manifest = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "assay-planted-ubuntu"},
        "spec": spec,
    }
    with plant.apply(manifest) as ref:
        yield ref


def release_behind(plant: Plant) -> AbstractContextManager[Named]:
    """A worker boots a release nobody pinned."""
    return other_image(plant)


PLANTED = [foreign_node, release_behind]
