"""ARCH-03: pods on the wrong pool, a dedicated node without its taint, a node without a pool."""

from collections.abc import Iterator

from assay.errors import GuardError
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


POOL = "platform.example/pool"


def _node(plant: Plant, pool: str) -> str:
    """Return the name of a worker of `pool`, by its live label."""
    for name in plant.profile.talos.workers:
        found = plant.kube.get("v1", "Node", "", name) or {}
        if found.get("metadata", {}).get("labels", {}).get(POOL) == pool:
            return name
    raise GuardError(f"no worker of pool {pool}: nothing planted", "is the lab whole?")


@violation()
def db_pod_on_app(plant: Plant) -> Iterator[Named]:
    """A pod that says it belongs to the db pool, on an app node."""
    spec = {"nodeName": _node(plant, "app")}
    with plant.pod("assay-planted/db-astray", spec=spec, labels={POOL: "db"}) as ref:
        yield ref


@violation()
def stranger_on_db(plant: Plant) -> Iterator[Named]:
    """A pod that belongs to no pool, on a db node."""
    with plant.pod("assay-planted/stranger", spec={"nodeName": _node(plant, "db")}) as ref:
        yield ref


@violation()
def pool_without_taint(plant: Plant) -> Iterator[Named]:
    """A db node whose taint is gone; its label stays."""
    clean = {"spec": {"taints": None}}
    ready = lambda found: not any("platform.example" in t["key"] for t in found["spec"].get("taints", []))  # noqa: E731
    with plant.patched("Node", "", _node(plant, "db"), clean, ready=ready) as ref:
        yield ref
