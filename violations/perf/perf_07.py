"""PERF-07: pods that are not Guaranteed, each for another reason."""

from collections.abc import Iterator
from typing import Any

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


BURST = {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"cpu": "10m", "memory": "16Mi"}}
MEMORY = {"memory": "16Mi"}
ZERO = {"requests": {"cpu": "0", "memory": "0"}, "limits": {"cpu": "0", "memory": "0"}}


def _sized(found: dict[str, Any]) -> bool:
    return bool((found.get("status") or {}).get("qosClass"))


@violation()
def burstable(plant: Plant) -> Iterator[Named]:
    """A pod that requests less than its limit."""
    with plant.pod("assay-planted/burstable", container={"resources": BURST}, ready=_sized) as ref:
        yield ref


@violation()
def memory_only(plant: Plant) -> Iterator[Named]:
    """A pod with memory requests and limits, but none for CPU."""
    only = {**plant.pod_spec()["containers"][0], "resources": {"requests": MEMORY, "limits": MEMORY}}
    with plant.pod("assay-planted/memory-only", spec={"containers": [only]}, ready=_sized) as ref:
        yield ref


@violation()
def zero(plant: Plant) -> Iterator[Named]:
    """A pod whose requests and limits are equal because both are zero."""
    with plant.pod("assay-planted/zero", container={"resources": ZERO}, ready=_sized) as ref:
        yield ref


@violation()
def bare_sidecar(plant: Plant) -> Iterator[Named]:
    """A pod with an injected sidecar that has no requests and limits."""
    sound = plant.pod_spec()["containers"][0]
    sidecar = {**sound, "name": "injected", "restartPolicy": "Always", "resources": {}}
    with plant.pod("assay-planted/injected", spec={"initContainers": [sidecar]}, ready=_sized) as ref:
        yield ref


@violation()
def marked_in_uncritical(plant: Plant) -> Iterator[Named]:
    """A critical pod without guarantees that runs among uncritical services."""
    mark = {plant.profile.platform.annotations.critical: "true"}
    space = plant.profile.platform.namespaces.uncritical[0]
    with plant.pod(
        f"{space}/assay-critical", container={"resources": BURST}, labels=mark, ready=_sized
    ) as ref:
        yield ref
