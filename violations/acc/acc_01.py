"""ACC-01: one reply in eight of the public API comes a quarter of a second late."""

from collections.abc import Iterator, Mapping
from typing import Any

from assay.model import Breach
from assay.proof.plant import Plant
from assay.proof.violation import violation


DELAY = [{"name": "ASSAY_DELAY_MS", "value": "250"}, {"name": "ASSAY_DELAY_SHARE", "value": "0.12"}]


def rolled_out(found: Mapping[str, Any]) -> bool:
    """Return True if every replica is of the newest revision, available, and no older one is left."""
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return bool(
        status.get("observedGeneration", 0) >= found["metadata"]["generation"] and counts == [wanted] * 3
    )


@violation()
def late_replies(plant: Plant) -> Iterator[Breach]:
    """12 % of the replies come 250 ms late: so far above 5 % that the verdict cannot be doubtful."""
    api = plant.targets.declared("api")
    found = plant.await_object(*api.key, ready=rolled_out, within=120)
    containers = [dict(container) for container in found["spec"]["template"]["spec"]["containers"]]
    containers[0]["env"] = [*containers[0].get("env", []), *DELAY]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    try:
        with plant.patched(*api.key[1:], patch, api_version=api.api_version, ready=rolled_out, within=180):
            yield Breach("share_over", "above", 0.05)
    finally:
        plant.await_object(*api.key, ready=rolled_out, within=180)
