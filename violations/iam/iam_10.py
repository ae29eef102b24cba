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


def _granted(plant: Plant, name: str, *rules: dict[str, Any], namespace: str = "") -> Iterator[Named]:
    with (
        plant.apply(_role(f"assay-{name}", *rules)),
        plant.apply(_binding(f"assay-{name}", f"assay-{name}", EVE, namespace)) as ref,
    ):
        yield ref


@violation()
def kubelets(plant: Plant) -> Iterator[Named]:
    """Somebody may reach every kubelet through the API server, which only reads as reading."""
    rule = {"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]}
    yield from _granted(plant, "kubelets", rule)


@violation()
def token_requests(plant: Plant) -> Iterator[Named]:
    """Somebody may ask for tokens of every service account of kube-system."""
    rule = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
    yield from _granted(plant, "tokens", rule, namespace="kube-system")


@violation()
def certificates(plant: Plant) -> Iterator[Named]:
    """Somebody may have a certificate signed for any name: one rule to approve, one for the signer."""
    group = "certificates.k8s.io"
    approval = {
        "apiGroups": [group],
        "resources": ["certificatesigningrequests/approval"],
        "verbs": ["update"],
    }
    signer = {"apiGroups": [group], "resources": ["signers"], "verbs": ["approve"]}
    yield from _granted(plant, "certificates", approval, signer)


@violation()
def pods_beside_a_stronger_account(plant: Plant) -> Iterator[Named]:
    """Somebody may start pods in a namespace, and with them act as its account, which may do everything."""
    account = {"kind": "ServiceAccount", "namespace": "assay-planted", "name": "strong"}
    pods = _role("assay-pods", {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]})
    with (
        plant.namespace("assay-planted"),
        plant.apply(_role("assay-wildcard", EVERYTHING)),
        plant.apply(_binding("assay-wildcard", "assay-wildcard", account)),
        plant.apply(pods),
        plant.apply(_binding("assay-pods", "assay-pods", EVE, "assay-planted")) as ref,
    ):
        yield ref


@violation()
def group_of_accounts(plant: Plant) -> Iterator[Named]:
    """Every service account of a namespace may do everything, through their group."""
    group = {"apiGroup": RBAC, "kind": "Group", "name": "system:serviceaccounts:assay-planted"}
    with (
        plant.apply(_role("assay-accounts", EVERYTHING)),
        plant.apply(_binding("assay-accounts", "assay-accounts", group)) as ref,
    ):
        yield ref


@violation()
def token_secrets(plant: Plant) -> Iterator[Named]:
    """Somebody may make Secrets in kube-system and read them, and so have any account's token made."""
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "get"]}
    yield from _granted(plant, "secrets", rule, namespace="kube-system")


@violation()
def mutating_webhooks(plant: Plant) -> Iterator[Named]:
    """Somebody may change a mutating webhook, and so every new pod."""
    group = "admissionregistration.k8s.io"
    rule = {"apiGroups": [group], "resources": ["mutatingwebhookconfigurations"], "verbs": ["patch"]}
    yield from _granted(plant, "webhooks", rule)


@violation()
def labelled_as_kubernetes_own(plant: Plant) -> Iterator[Named]:
    """A binding of role cluster-admin that is labelled as if the API server had made it."""
    made = _binding("assay-own", "cluster-admin", EVE)
    made["metadata"]["labels"] = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    with plant.apply(made) as ref:
        yield ref
