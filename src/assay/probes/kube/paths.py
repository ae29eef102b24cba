"""Where an object lives in the API: the path of its collection and of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


VERSIONS = {
    "v1": (
        "Pod",
        "Namespace",
        "Node",
        "Secret",
        "ConfigMap",
        "Service",
        "ServiceAccount",
        "LimitRange",
        "ResourceQuota",
        "Event",
        "ReplicationController",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Endpoints",
    ),
    "apps/v1": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
    "batch/v1": ("Job", "CronJob"),
    "rbac.authorization.k8s.io/v1": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    "admissionregistration.k8s.io/v1": (
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ),
    "policy.sigstore.dev/v1beta1": ("ClusterImagePolicy",),
    "policy/v1": ("PodDisruptionBudget",),
    "networking.k8s.io/v1": ("NetworkPolicy", "Ingress"),
    "scheduling.k8s.io/v1": ("PriorityClass",),
    "coordination.k8s.io/v1": ("Lease",),
}
HOME = {kind: version for version, kinds in VERSIONS.items() for kind in kinds}


def plural(kind: str) -> str:
    """Return the resource name of a kind: `NetworkPolicy` -> `networkpolicies`."""
    word = kind.lower()
    if word == "endpoints":
        return word
    if word.endswith("y") and not word.endswith(("ay", "ey", "oy")):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch")) else f"{word}s"


def collection(kind: str, namespace: str = "", version: str = "") -> str:
    """Return the path of a collection: of one namespace, or everywhere where `namespace` is empty.

    Raises:
        KeyError: a kind that is not known here, without its API version.
    """
    home = version or HOME[kind]
    root = f"/apis/{home}" if "/" in home else f"/api/{home}"
    inside = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{root}{inside}/{plural(kind)}"


def one(kind: str, namespace: str, name: str, version: str = "") -> str:
    """Return the path of one object."""
    return f"{collection(kind, namespace, version)}/{quote(name, safe='')}"


def collection_of(manifest: Mapping[str, Any]) -> str:
    """Return the path that a manifest is created at."""
    meta = manifest.get("metadata") or {}
    return collection(str(manifest["kind"]), str(meta.get("namespace", "")), str(manifest["apiVersion"]))


def ref(manifest: Mapping[str, Any]) -> str:
    """Return how the suite calls an object.

    `Kind namespace/name`, or `Kind name` where it has no namespace.
    """
    meta = manifest["metadata"]
    inside = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{manifest['kind']} {inside}{meta['name']}"
