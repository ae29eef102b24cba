"""SEC-27: undeclared API tokens, tokens that live too long, rights for a default service account."""

from collections.abc import Iterator
from typing import Any

from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.violation import violation


RBAC = "rbac.authorization.k8s.io"


@violation()
def undeclared_token(plant: Plant) -> Iterator[Named]:
    """A pod with an API token that it does not declare."""
    with plant.pod("assay-planted/leaky", token=True) as ref:
        yield ref


@violation()
def lasting_token(plant: Plant) -> Iterator[Named]:
    """A pod that declares its API calls, with a token that is valid for two days."""
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 172800}}
    spec = {"volumes": [{"name": "lasting", "projected": {"sources": [source]}}]}
    mount = {"volumeMounts": [{"name": "lasting", "mountPath": "/var/run/lasting"}]}
    note = {plant.profile.platform.annotations.calls_api: "planted"}
    meta = {"namespace": "assay-planted", "name": "lasting", "annotations": note}
    pod: Manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": meta}
    pod["spec"] = plant.pod_spec(spec=spec, container=mount)
    with plant.apply(pod) as ref:
        yield ref


@violation()
def stored_token(plant: Plant) -> Iterator[Named]:
    """A Secret that holds an API token without expiry."""
    meta: Manifest = {"namespace": "assay-planted", "name": "forever"}
    meta["annotations"] = {"kubernetes.io/service-account.name": "default"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": meta,
    }
    with plant.namespace("assay-planted"):
        ready = ("v1", "ServiceAccount", "assay-planted", "default")
        plant.await_object(*ready, ready=bool)
        with plant.apply(secret, ready=lambda found: "token" in (found.get("data") or {})) as ref:
            yield ref


@violation()
def default_account(plant: Plant) -> Iterator[Named]:
    """A binding that gives role edit to a default service account."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"namespace": "assay-planted", "name": "default-edits"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "assay-planted"}],
    }  # fmt: skip
    with plant.apply(binding) as ref:
        yield ref


def _bound(name: str, subject: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"namespace": "assay-planted", "name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [subject],
    }


@violation()
def group_of_accounts(plant: Plant) -> Iterator[Named]:
    """Rights for every service account of a namespace, the default one among them, through their group."""
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:serviceaccounts:assay-planted"}
    with plant.apply(_bound("all-accounts", group)) as ref:
        yield ref


@violation()
def unused_account(plant: Plant) -> Iterator[Named]:
    """Rights for an account whose pods are long gone."""
    account = {"kind": "ServiceAccount", "namespace": "assay-planted", "name": "left-over"}
    with plant.apply(_bound("left-over", account)) as ref:
        yield ref


@violation()
def default_by_its_user_name(plant: Plant) -> Iterator[Named]:
    """The default service account of a namespace bound by the user name that it has."""
    user = {"apiGroup": RBAC, "kind": "User", "name": "system:serviceaccount:assay-planted:default"}
    with plant.apply(_bound("default-as-user", user)) as ref:
        yield ref
