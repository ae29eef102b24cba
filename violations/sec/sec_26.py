"""SEC-26: a Secret is not synced again, or a process keeps the value it was started with."""

from collections.abc import Iterator

from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.targets import EXTERNAL, Target, made_by
from assay.proof.violation import violation


def synced(plant: Plant) -> tuple[Target, str]:
    """Return a Secret that follows its source, and one of its keys."""
    secret = made_by(plant.targets.external_secret())
    found = plant.await_object(*secret.key, ready=lambda found: bool(found.get("data")))
    return secret, min(found["data"])


@violation(tier="live")
def never_refreshed(plant: Plant) -> Iterator[Named]:
    """The ExternalSecret of the canary has a refresh interval of 0."""
    patch = {"spec": {"refreshInterval": "0s"}}
    found = plant.targets.canary()["metadata"]
    where = ("ExternalSecret", found["namespace"], found["name"])
    with plant.patched(*where, patch, api_version=EXTERNAL) as ref:
        yield ref


@violation(tier="live")
def immutable(plant: Plant) -> Iterator[Named]:
    """An ExternalSecret that makes an immutable Secret: its first value is its last."""
    canary = plant.targets.canary()
    body = {
        "apiVersion": EXTERNAL,
        "kind": "ExternalSecret",
        "metadata": {"namespace": canary["metadata"]["namespace"], "name": "planted-immutable"},
        "spec": {**canary["spec"], "target": {"name": "planted-immutable", "immutable": True}},
    }
    with plant.apply(body) as ref:
        yield ref


@violation(tier="live")
def injected_once(plant: Plant) -> Iterator[Named]:
    """A pod that asks Vault's injector for values before it starts, and never again."""
    mark = "vault.hashicorp.com/agent-"
    meta = {"annotations": {f"{mark}inject": "true", f"{mark}pre-populate-only": "true"}}
    place = {"namespace": "assay-planted", "name": "planted-injected"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {**place, **meta}, "spec": plant.pod_spec()}
    with plant.apply(body) as ref:
        yield ref


@violation(tier="live")
def as_a_variable(plant: Plant) -> Iterator[Named]:
    """A pod takes a synced Secret as an environment variable, and nothing restarts it."""
    secret, key = synced(plant)
    variable = {"name": "CANARY", "valueFrom": {"secretKeyRef": {"name": secret.name, "key": key}}}
    with plant.pod(f"{secret.namespace}/planted-variable", container={"env": [variable]}) as ref:
        yield ref


@violation(tier="live")
def by_sub_path(plant: Plant) -> Iterator[Named]:
    """A pod mounts one key of a synced Secret by subPath, which the kubelet never renews."""
    secret, key = synced(plant)
    mount = {"name": "canary", "mountPath": "/canary", "subPath": key, "readOnly": True}
    volume = {"name": "canary", "secret": {"secretName": secret.name}}
    spec, container = {"volumes": [volume]}, {"volumeMounts": [mount]}
    with plant.pod(f"{secret.namespace}/planted-part", spec=spec, container=container) as ref:
        yield ref


@violation(tier="drill")
def operator_stopped(plant: Plant) -> Iterator[Named]:
    """The secrets operator is not running, although everything that is declared is right."""
    operator = plant.targets.declared("secret_operator")
    where, patch = operator.key[1:], {"spec": {"replicas": 0}}
    try:
        with plant.patched(*where, patch, api_version=operator.api_version, ready=_stopped):
            yield Named(f"Secret {plant.profile.platform.rotation.canary_secret}")
    finally:
        plant.await_object(*operator.key, ready=_serving, within=120)


def _stopped(found: Manifest) -> bool:
    return not found.get("status", {}).get("replicas")


def _serving(found: Manifest) -> bool:
    return bool(found.get("status", {}).get("readyReplicas", 0) == found["spec"]["replicas"])
