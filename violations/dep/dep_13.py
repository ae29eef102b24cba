"""DEP-13: transactions that are confirmed but not stored, and an API that does not answer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from assay.errors import GuardError
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.targets import Target
from assay.proof.violation import violation


PATH = "/api/v1/orders"
TABLE = (
    "CREATE TEMP TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY (START 1000000000), "
    "mark text, created timestamptz DEFAULT now())"
)


def rolled_out(found: Mapping[str, Any]) -> bool:
    """Return True if every replica is of the newest revision, available, and no older one is left."""
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return bool(
        status.get("observedGeneration", 0) >= found["metadata"]["generation"] and counts == [wanted] * 3
    )


def sent(plant: Plant) -> Named:
    """Return the name of the request that must be caught."""
    return Named(f"POST {plant.profile.need_text('api.url').rstrip('/')}{PATH}")


@contextmanager
def changed(plant: Plant, where: Target, template: Mapping[str, Any]) -> Iterator[None]:
    """Change the pods of a Deployment, wait until it is rolled out, and again when it is put back."""
    patch = {"spec": {"template": {"spec": dict(template)}}}
    try:
        with plant.patched(
            *where.key[1:], patch, api_version=where.api_version, ready=rolled_out, within=180
        ):
            yield
    finally:
        plant.await_object(*where.key, ready=rolled_out, within=180)


@violation()
def uncommitted(plant: Plant) -> Iterator[Named]:
    """The API answers 201 without committing the transaction."""
    api = plant.targets.declared("api")
    found = plant.await_object(*api.key, ready=rolled_out, within=120)
    containers = [dict(one) for one in found["spec"]["template"]["spec"]["containers"]]
    containers[0]["env"] = [*containers[0].get("env", []), {"name": "ASSAY_UNCOMMITTED", "value": "1"}]
    with changed(plant, api, {"containers": containers}):
        yield sent(plant)


@violation()
def wrong_table(plant: Plant) -> Iterator[Named]:
    """The connection pool hides the real table behind a temporary one, so the API's answers look right."""
    pooler, database = plant.targets.declared("pooler"), f"dbname={plant.profile.need_text('sql.dbname')}"
    found = plant.await_object(*pooler.key, ready=rolled_out, within=120)
    volumes = [dict(one) for one in found["spec"]["template"]["spec"]["volumes"]]
    for volume in (one for one in volumes if "configMap" in one):
        live = plant.kube.get("v1", "ConfigMap", pooler.namespace, volume["configMap"]["name"])
        data = (live or {}).get("data", {})
        if any(database in text for text in data.values()):
            break
    else:
        raise GuardError(f"no ConfigMap of {pooler.ref} says {database}", "fix the violation")
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": pooler.namespace, "name": "planted-pool"},
        "data": {
            file: text.replace(database, f"{database} connect_query='{TABLE}'") for file, text in data.items()
        },
    }
    volume["configMap"] = {**volume["configMap"], "name": "planted-pool"}
    with plant.apply(body), changed(plant, pooler, {"volumes": volumes}):
        yield sent(plant)


@violation()
def nobody_serves(plant: Plant) -> Iterator[Named]:
    """No pod of the API is left, and no kept-alive connection either."""
    api = plant.targets.declared("api")
    found = plant.await_object(*api.key, ready=rolled_out, within=120)
    mine = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"]["matchLabels"].items())
    pods = f"/api/v1/namespaces/{api.namespace}/pods"
    try:
        with plant.patched(
            *api.key[1:], {"spec": {"replicas": 0}}, api_version=api.api_version,
            ready=lambda found: not found.get("status", {}).get("replicas"), within=120,
        ):  # fmt: skip
            gone = "the API's pods gone"
            plant.await_true(lambda: not plant.kube.wire.items(pods, labelSelector=mine), gone)
            yield sent(plant)
    finally:
        plant.await_object(*api.key, ready=rolled_out, within=180)
