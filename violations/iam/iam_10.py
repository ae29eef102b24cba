"""IAM-10: rights that equal admin, given in ways a look at cluster-admin bindings does not see."""

from collections.abc import Iterator
from typing import Any

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


RBAC = "rbac.authorization.k8s.io"
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
RISE = {"apiGroups": [RBAC], "resources": ["clusterroles"], "verbs": ["escalate", "update"]}
ACT_AS = {"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]}
EVE = {"apiGroup": RBAC, "kind": "User", "name": "oidc:eve"}


def _role(name: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a manifest
    body: dict[str, Any] = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    return {**body, "rules": list(rules), **more}


def _binding(name: str, role: str, subject: dict[str, str], namespace: str = "") -> dict[str, Any]:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    body = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": meta}
    return {**body, "roleRef": reference, "subjects": [subject]}


@violation()
def everybody(plant: Plant) -> Iterator[Named]:
    """Every authenticated user may read what role view shows."""
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}
    with plant.apply(_binding("assay-everybody", "view", group)) as ref:
        yield ref


@violation()
def nobody_in_particular(plant: Plant) -> Iterator[Named]:
    """Unauthenticated callers may read what role view shows, once an API server admits them."""
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:unauthenticated"}
    with plant.apply(_binding("assay-unauthenticated", "view", group)) as ref:
        yield ref


@violation()
def anonymous_user(plant: Plant) -> Iterator[Named]:
    """The anonymous user may read the objects of one namespace."""
    user = {"apiGroup": RBAC, "kind": "User", "name": "system:anonymous"}
    with plant.apply(_binding("assay-anonymous", "view", user, "kube-system")) as ref:
        yield ref


@violation()
def wildcard(plant: Plant) -> Iterator[Named]:
    """A role with another name that allows everything."""
    with (
        plant.apply(_role("assay-wildcard", EVERYTHING)),
        plant.apply(_binding("assay-wildcard", "assay-wildcard", EVE)) as ref,
    ):
        yield ref


@violation()
def aggregated(plant: Plant) -> Iterator[Named]:
    """An empty role that gets the right to escalate by aggregation."""
    part = _role("assay-part", RISE)
    part["metadata"]["labels"] = {"assay.dev/gathered": "true"}
    selector = {"clusterRoleSelectors": [{"matchLabels": {"assay.dev/gathered": "true"}}]}
    with (
        plant.apply(part),
        plant.apply(_role("assay-whole", aggregationRule=selector)),
        plant.apply(_binding("assay-aggregated", "assay-whole", EVE)) as ref,
    ):
        yield ref


@violation()
def impersonator(plant: Plant) -> Iterator[Named]:
    """A role that may impersonate anybody."""
    with (
        plant.apply(_role("assay-impersonator", ACT_AS)),
        plant.apply(_binding("assay-impersonator", "assay-impersonator", EVE)) as ref,
    ):
        yield ref


@violation()
def admin_of_kube_system(plant: Plant) -> Iterator[Named]:
    """Role cluster-admin bound in kube-system only, which is enough to take over the cluster."""
    with plant.apply(_binding("assay-system-admin", "cluster-admin", EVE, "kube-system")) as ref:
        yield ref
