"""PERF-08: workloads of several kinds without requests or limits, one of them behind a LimitRange."""

from collections.abc import Iterator
from typing import Any

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


NOTHING: dict[str, Any] = {"resources": {"requests": None, "limits": None}}
LIMIT_RANGE: dict[str, Any] = {
    "apiVersion": "v1", "kind": "LimitRange", "metadata": {"namespace": "assay-planted", "name": "fills-in"},
    "spec": {"limits": [{"type": "Container", "default": {"cpu": "10m", "memory": "16Mi"}}]},
}  # fmt: skip


def _object(kind: str, version: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"namespace": "assay-planted", "name": name}
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def _unsized(plant: Plant, **more: str) -> dict[str, Any]:
    spec = plant.pod_spec(spec=more, container=NOTHING)
    return {"metadata": {"labels": {"app": "unsized"}}, "spec": spec}


@violation()
def bare_pod(plant: Plant) -> Iterator[Named]:
    """A pod without requests and limits."""
    with plant.pod("assay-planted/unsized", container=NOTHING) as ref:
        yield ref


@violation()
def job(plant: Plant) -> Iterator[Named]:
    """A Job without requests and limits; it is suspended."""
    spec = {"suspend": True, "template": _unsized(plant, restartPolicy="Never")}
    with plant.apply(_object("Job", "batch/v1", "unsized", spec)) as ref:
        yield ref


@violation()
def cron_job(plant: Plant) -> Iterator[Named]:
    """A CronJob without requests and limits; it is suspended."""
    template = {"spec": {"template": _unsized(plant, restartPolicy="Never")}}
    spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": template}
    with plant.apply(_object("CronJob", "batch/v1", "unsized", spec)) as ref:
        yield ref


@violation()
def hidden_by_limit_range(plant: Plant) -> Iterator[Named]:
    """A Deployment without requests and limits in a namespace whose LimitRange adds them to its pods."""
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "unsized"}}, "template": _unsized(plant)}
    with (
        plant.namespace("assay-planted"),
        plant.apply(LIMIT_RANGE),
        plant.apply(_object("Deployment", "apps/v1", "unsized", spec)) as ref,
    ):
        yield ref


@violation()
def init_container(plant: Plant) -> Iterator[Named]:
    """A pod whose init container has no requests and limits."""
    first = {**plant.pod_spec()["containers"][0], "name": "first", "resources": {}}
    with plant.pod("assay-planted/init-unsized", spec={"initContainers": [first]}) as ref:
        yield ref
