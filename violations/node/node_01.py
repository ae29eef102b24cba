"""NODE-01: a machine of another system in the cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.plant import Named, Plant


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
    with plant.apply(manifest) as named:
        yield named


PLANTED = [foreign_node]
