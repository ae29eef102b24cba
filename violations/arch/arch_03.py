"""ARCH-03: pods on the wrong pool, a dedicated node without its taint, a node without a pool."""

from collections.abc import Iterator

from assay.errors import GuardError
from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.violation import violation


def pools(plant: Plant) -> tuple[str, str]:
    """Return a pool with a taint and one without.

    Raises:
        GuardError: the profile does not name both.
    """
    known = plant.profile.platform.pools
    dedicated, shared = sorted(known.taints), sorted(set(known.names) - known.taints.keys())
    if not dedicated or not shared:
        raise GuardError("the profile names no pool with a taint and one without", "see [platform.pools]")
    return dedicated[-1], shared[0]


@violation()
def db_pod_on_app(plant: Plant) -> Iterator[Named]:
    """A pod that says it belongs to a dedicated pool, on a node of another one."""
    dedicated, shared = pools(plant)
    spec, labels = {"nodeName": plant.targets.worker(shared)}, {plant.profile.platform.pools.label: dedicated}
    with plant.pod("assay-planted/db-astray", spec=spec, labels=labels) as ref:
        yield ref


@violation()
def stranger_on_db(plant: Plant) -> Iterator[Named]:
    """A pod that belongs to no pool, on a dedicated node."""
    node = plant.targets.worker(pools(plant)[0])
    with plant.pod("assay-planted/stranger", spec={"nodeName": node}) as ref:
        yield ref


@violation()
def pool_without_taint(plant: Plant) -> Iterator[Named]:
    """A node of a dedicated pool without its taint; the label is still there."""
    pool = pools(plant)[0]
    key = plant.profile.platform.pools.taints[pool]

    def clean(found: Manifest) -> bool:
        return all(taint["key"] != key for taint in found["spec"].get("taints", []))

    patch = {"spec": {"taints": None}}
    with plant.patched("Node", "", plant.targets.worker(pool), patch, ready=clean) as ref:
        yield ref
