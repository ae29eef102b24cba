"""DEP-13: orders confirmed and not committed, kept elsewhere by the pool, or taken by nobody."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


API = ("apps/v1", "Deployment", "shop", "public-api")
POOL = ("apps/v1", "Deployment", "postgres", "pgbouncer")
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
def changed(plant: Plant, where: tuple[str, str, str, str], template: Mapping[str, Any]) -> Iterator[None]:
    """Change the pods of a Deployment, wait until it is rolled out, and again when it is put back."""
    version, kind, space, name = where
    patch = {"spec": {"template": {"spec": dict(template)}}}
    try:
        with plant.patched(kind, space, name, patch, api_version=version, ready=rolled_out, within=180):
            yield
    finally:
        plant.await_object(*where, ready=rolled_out, within=180)


@violation()
def uncommitted(plant: Plant) -> Iterator[Named]:
    """Let the API answer 201 without a commit."""
    found = plant.await_object(*API, ready=rolled_out, within=120)
    containers = [dict(one) for one in found["spec"]["template"]["spec"]["containers"]]
    containers[0]["env"] = [*containers[0].get("env", []), {"name": "ASSAY_UNCOMMITTED", "value": "1"}]
    with changed(plant, API, {"containers": containers}):
        yield sent(plant)


@violation()
def wrong_table(plant: Plant) -> Iterator[Named]:
    """Let the pool put a temporary table in front of the real one; the product's answers look right."""
    found = plant.await_object(*POOL, ready=rolled_out, within=120)
    volumes = [dict(one) for one in found["spec"]["template"]["spec"]["volumes"]]
    place = next(one for one in volumes if one["name"] == "configuration")
    live = plant.kube.get("v1", "ConfigMap", "postgres", place["configMap"]["name"])
    assert live is not None, "the pool's configuration is not there"
    text = live["data"]["pgbouncer.ini"].replace("dbname=shop", f"dbname=shop connect_query='{TABLE}'")
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "postgres", "name": "pgbouncer-planted"},
        "data": {"pgbouncer.ini": text},
    }
    place["configMap"] = {**place["configMap"], "name": "pgbouncer-planted"}
    with plant.apply(body), changed(plant, POOL, {"volumes": volumes}):
        yield sent(plant)


@violation()
def nobody_serves(plant: Plant) -> Iterator[Named]:
    """Take every pod of the API away; kept-alive connections go with them, so no old route answers."""
    version, kind, space, name = API
    try:
        with plant.patched(
            kind, space, name, {"spec": {"replicas": 0}}, api_version=version,
            ready=lambda found: not found.get("status", {}).get("replicas"), within=120,
        ):  # fmt: skip
            pods = f"/api/v1/namespaces/{space}/pods"
            mine = {"labelSelector": f"app.kubernetes.io/name={name}"}
            plant.await_true(lambda: not list(plant.kube.wire.items(pods, **mine)), "the API's pods gone")
            yield sent(plant)
    finally:
        plant.await_object(*API, ready=rolled_out, within=180)
