"""Change the pods of a Deployment for a while, rolled out on the way in and on the way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.targets import Target


ROLLOUT_TIMEOUT_S = 180.0


def rolled_out(found: Manifest) -> bool:
    """Return True if every replica is of the newest revision, available, and no older one is left."""
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return bool(
        status.get("observedGeneration", 0) >= found["metadata"]["generation"] and counts == [wanted] * 3
    )


def pod_spec_of(plant: Plant, target: Target) -> Manifest:
    """Return the pod spec of a Deployment once it is rolled out.

    Raises:
        GuardError: it is not, in time.
    """
    found = plant.await_object(*target.key, ready=rolled_out, within=ROLLOUT_TIMEOUT_S)
    spec: Manifest = found["spec"]["template"]["spec"]
    return spec


def with_variables(spec: Manifest, variables: Sequence[Mapping[str, str]]) -> Manifest:
    """Return the change to a pod spec that gives its first container more environment variables."""
    first, *others = spec["containers"]
    return {"containers": [{**first, "env": [*first.get("env", []), *variables]}, *others]}


@contextmanager
def rolled(plant: Plant, target: Target, change: Manifest) -> Iterator[None]:
    """Apply a change to the pod spec of a Deployment; rolled out before the body, and after the undo.

    Raises:
        GuardError: it was not rolled out in time.
    """
    patch = {"spec": {"template": {"spec": change}}}
    version, limit = target.api_version, ROLLOUT_TIMEOUT_S
    try:
        with plant.patched(*target.key[1:], patch, api_version=version, ready=rolled_out, within=limit):
            yield
    finally:
        plant.await_object(*target.key, ready=rolled_out, within=ROLLOUT_TIMEOUT_S)
