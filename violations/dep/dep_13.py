"""DEP-13: transactions that are confirmed but not stored, and an API that does not answer."""

import re
from collections.abc import Iterator

from assay.errors import GuardError
from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.rollouts import pod_spec_of, rolled, rolled_out, with_variables
from assay.proof.targets import Target
from assay.proof.violation import violation


FOUND_IN = re.compile(r"FROM (\w+) WHERE (\w+) =")


def sent(plant: Plant) -> Named:
    """Return the name of the request that must be caught."""
    one = plant.profile.transactions[0]
    return Named(f"{one.method} {plant.profile.need_text('api.url').rstrip('/')}{one.path}")


def hidden_table(plant: Plant) -> str:
    """Return the SQL that puts an empty temporary table in front of the one that transactions are found in.

    Raises:
        GuardError: the profile's query does not say which that is.
    """
    found = FOUND_IN.search(plant.profile.transactions[0].find)
    if found is None:
        raise GuardError(
            "find names no table and column", "write it as SELECT id FROM t WHERE mark = %(mark)s"
        )
    identity = "id bigint GENERATED ALWAYS AS IDENTITY (START 1000000000)"
    return (
        f"CREATE TEMP TABLE IF NOT EXISTS {found[1]} "
        f"({identity}, {found[2]} text, created timestamptz DEFAULT now())"
    )


def configuration(plant: Plant, pooler: Target, part: str) -> tuple[int, Manifest]:
    """Return which volume of the pooler's pods is the ConfigMap that holds `part`, and its data.

    Raises:
        GuardError: none is.
    """
    for number, volume in enumerate(pod_spec_of(plant, pooler).get("volumes", [])):
        if "configMap" in volume:
            found = plant.kube.get("v1", "ConfigMap", pooler.namespace, volume["configMap"]["name"]) or {}
            if any(part in text for text in found.get("data", {}).values()):
                return number, found["data"]
    raise GuardError(f"no ConfigMap of {pooler.ref} says {part}", "check pooler under [violations]")


@violation()
def uncommitted(plant: Plant) -> Iterator[Named]:
    """The API answers 201 without committing the transaction."""
    api, variable = plant.targets.declared("api"), {"name": "ASSAY_UNCOMMITTED", "value": "1"}
    with rolled(plant, api, with_variables(pod_spec_of(plant, api), [variable])):
        yield sent(plant)


@violation()
def wrong_table(plant: Plant) -> Iterator[Named]:
    """The connection pool hides the real table behind a temporary one, so the API's answers look right."""
    pooler, database = plant.targets.declared("pooler"), f"dbname={plant.profile.need_text('sql.dbname')}"
    number, data = configuration(plant, pooler, database)
    hidden = {
        file: text.replace(database, f"{database} connect_query='{hidden_table(plant)}'")
        for file, text in data.items()
    }
    meta = {"namespace": pooler.namespace, "name": "planted-pool"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": hidden}
    volumes = [dict(volume) for volume in pod_spec_of(plant, pooler)["volumes"]]
    volumes[number] = {**volumes[number], "configMap": {**volumes[number]["configMap"], "name": meta["name"]}}
    with plant.apply(body), rolled(plant, pooler, {"volumes": volumes}):
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
