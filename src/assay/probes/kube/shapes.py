"""Manifests for trying admission: harmless, never scheduled, differing in one attribute at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any


KINDS = ("Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
PLACES = ("container", "init", "sidecar")
VOLUME, EMPTY = "volume", ""
NOWHERE = {"assay.dev/never": "true"}
NAME = "assay-trial"
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AdmissionTrial:
    """One request to try: an object of `kind` whose container at `place` runs `image`.

    `sound` is the image of all other containers. At `volume` the image is mounted, and no container runs it.
    """

    kind: str
    place: str
    variant: str
    image: str
    sound: str

    def ref(self, server: str) -> str:
        """Return how this trial at one API server is called.

        For example `Pod init unsigned at https://10.98.0.11:6443`.
        """
        return f"{self.kind} {self.place} {self.variant} at {server}"

    @property
    def baseline(self) -> AdmissionTrial:
        """Return the same request with the sound image everywhere, and an empty volume for an image's."""
        return replace(self, variant="signed", image=EMPTY if self.place == VOLUME else self.sound)

    def manifest(self, namespace: str) -> Manifest:
        """Return the object to create in `namespace`."""
        return workload_manifest(self.kind, namespace, pod_spec(self.place, self.image, self.sound))


def admission_trials(
    kinds: Iterable[str], places: Iterable[str], variants: Mapping[str, str], sound: str
) -> list[AdmissionTrial]:
    """Return every combination of kind, place and variant (name -> image), in order."""
    where = tuple(places)
    return [
        AdmissionTrial(kind, place, name, image, sound)
        for kind in kinds
        for place in where
        for name, image in variants.items()
    ]


def container_spec(name: str, image: str, **more: object) -> Manifest:
    """Return a container that every Pod Security level admits, with requests equal to limits."""
    sizes = {"cpu": "10m", "memory": "16Mi"}
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    return {
        "name": name,
        "image": image,
        "resources": {"requests": sizes, "limits": sizes},
        "securityContext": security,
        **more,
    }


def pod_spec(place: str, image: str, sound: str) -> Manifest:
    """Return a restricted pod specification that no node can take.

    With `image` at `place` and `sound` elsewhere.
    """
    spec: Manifest = {
        "automountServiceAccountToken": False,
        "nodeSelector": NOWHERE,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container_spec("main", image if place == "container" else sound)],
    }
    if place in {"init", "sidecar"}:
        more = {"restartPolicy": "Always"} if place == "sidecar" else {}
        spec["initContainers"] = [container_spec("first", image, **more)]
    if place == VOLUME:
        source = {"emptyDir": {}} if image == EMPTY else {"image": {"reference": image}}
        spec["volumes"] = [{"name": "tried", **source}]
        spec["containers"][0]["volumeMounts"] = [{"name": "tried", "mountPath": "/tried"}]
    return spec


def workload_manifest(kind: str, namespace: str, spec: Manifest, name: str = NAME) -> Manifest:
    """Return an object of `kind` in `namespace` that makes pods of `spec`; a Pod is the pod itself."""
    labels = {"app.kubernetes.io/name": name}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    template = {"metadata": {"labels": labels}, "spec": spec}
    selector = {"matchLabels": labels}
    job = {"template": {**template, "spec": {**spec, "restartPolicy": "Never"}}}
    apps = {"selector": selector, "template": template}
    api, body = {
        "Pod": ("v1", spec),
        "ReplicationController": ("v1", {"replicas": 1, "selector": labels, "template": template}),
        "ReplicaSet": ("apps/v1", {**apps, "replicas": 1}),
        "Deployment": ("apps/v1", {**apps, "replicas": 1}),
        "StatefulSet": ("apps/v1", {**apps, "replicas": 1, "serviceName": name}),
        "DaemonSet": ("apps/v1", apps),
        "Job": ("batch/v1", job),
        "CronJob": ("batch/v1", {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job}}),
    }[kind]
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": body}


def privileged_pod(namespace: str, image: str) -> Manifest:
    """Return the harmless pod with one thing added that Pod Security `baseline` refuses.

    A privileged container.
    """
    manifest = workload_manifest("Pod", namespace, pod_spec("container", image, image))
    manifest["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    return manifest


def root_pod(namespace: str, image: str) -> Manifest:
    """Return the harmless pod with what `baseline` admits and `restricted` refuses: it may run as root."""
    manifest = workload_manifest("Pod", namespace, pod_spec("container", image, image))
    manifest["spec"]["securityContext"] = {}
    return manifest


def harmless_pod(namespace: str, image: str) -> Manifest:
    """Return the pod that every Pod Security level admits: the baseline of the two above."""
    return workload_manifest("Pod", namespace, pod_spec("container", image, image))


def bare_namespace(name: str, labels: Mapping[str, str] | None = None) -> Manifest:
    """Return a namespace, without any label unless some are given."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}
