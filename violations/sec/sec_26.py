"""SEC-26: nobody looks at the source again, or a process keeps what it was started with."""

from collections.abc import Iterator

from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.violation import violation


EXTERNAL = "external-secrets.io/v1"
CANARY = ("postgres", "postgres-canary")
OPERATED, SECRET = "external-secrets", "rotation-canary"


@violation()
def never_refreshed(plant: Plant) -> Iterator[Named]:
    """The canary's ExternalSecret has a refresh interval of 0."""
    patch = {"spec": {"refreshInterval": "0s"}}
    with plant.patched("ExternalSecret", *CANARY, patch, api_version=EXTERNAL) as ref:
        yield ref


@violation()
def as_a_variable(plant: Plant) -> Iterator[Named]:
    """A pod takes a synced Secret as a variable, and nothing restarts it."""
    variable = {"name": "CANARY", "valueFrom": {"secretKeyRef": {"name": SECRET, "key": "value"}}}
    with plant.pod(f"{OPERATED}/planted-variable", container={"env": [variable]}) as ref:
        yield ref


@violation()
def by_sub_path(plant: Plant) -> Iterator[Named]:
    """A pod mounts one key of a synced Secret by subPath, which is never renewed."""
    mount = {"name": "canary", "mountPath": "/canary", "subPath": "value", "readOnly": True}
    volume = {"name": "canary", "secret": {"secretName": SECRET}}
    spec, container = {"volumes": [volume]}, {"volumeMounts": [mount]}
    with plant.pod(f"{OPERATED}/planted-part", spec=spec, container=container) as ref:
        yield ref


@violation()
def operator_stopped(plant: Plant) -> Iterator[Named]:
    """The operator that carries values from Vault is not running: all that is declared looks well."""
    patch, where = {"spec": {"replicas": 0}}, ("Deployment", OPERATED, "operator")
    try:
        with plant.patched(*where, patch, api_version="apps/v1", ready=_stopped):
            yield Named("Secret " + "/".join(CANARY))
    finally:
        plant.await_object("apps/v1", *where, ready=_serving, within=120)


def _stopped(found: Manifest) -> bool:
    return not found.get("status", {}).get("replicas")


def _serving(found: Manifest) -> bool:
    return bool(found.get("status", {}).get("readyReplicas", 0) == found["spec"]["replicas"])
