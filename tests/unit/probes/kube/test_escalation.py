"""Who equals an administrator: at once, through aggregation, or by acting as somebody who does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from assay.errors import ProbeError
from assay.probes.kube.client import Kube
from assay.probes.kube.escalation import RightsGraph, groups_of, known_rights
from assay.probes.kube.rbac import Grant, Rbac, by_name, grants
from assay.probes.kube.reviews import confirmed, review
from assay.probes.kube.wire import Wire


Manifest = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
CERTIFICATES = "certificates.k8s.io"
EVE = "User eve"
STRONG = "ServiceAccount ops/strong"


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> Manifest:
    return {
        "verbs": verbs.split(),
        "resources": resources.split(),
        "apiGroups": [group],
        "resourceNames": names.split(),
    }


EVERYTHING = rule("*", "*", "*")


def role(name: str, *rules: Manifest, namespace: str = "", **more: Any) -> Manifest:  # noqa: ANN401
    return {
        "metadata": {"name": name, "namespace": namespace, **more.pop("meta", {})},
        "rules": list(rules),
        **more,
    }


def binding(target: str, subject: str, namespace: str = "", name: str = "b", **labels: str) -> Manifest:
    kind, _, who = subject.partition(" ")
    home, _, account = who.partition("/")
    found = (
        {"kind": kind, "namespace": home, "name": account}
        if kind == "ServiceAccount"
        else {"kind": kind, "name": who}
    )
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "roleRef": {"kind": "ClusterRole", "name": target},
        "subjects": [found],
    }


def graph(roles: Iterable[Manifest], bindings: Iterable[Manifest], privileged: str = "") -> RightsGraph:
    known = by_name(roles)
    found = [one for item in bindings for one in grants(item["kind"], item, known)]
    return RightsGraph(Rbac(tuple(found), known), lambda space: space == privileged)


def why(
    roles: Iterable[Manifest], bindings: Iterable[Manifest], subject: str = EVE, privileged: str = ""
) -> str:
    """Return why a subject equals an administrator, empty where it does not."""
    found = graph(roles, bindings, privileged).escalations()
    return "; ".join(one.why for one in found if one.grant.subject == subject)


POWERS = {
    "wildcard": [EVERYTHING],
    "escalate": [rule("escalate", "clusterroles", RBAC)],
    "bind": [rule("bind", "clusterroles", RBAC)],
    "impersonate": [rule("impersonate", "users")],
    "impersonate groups": [rule("impersonate", "groups")],
    "every verb on roles": [rule("*", "clusterroles", RBAC)],
    "every verb on the core group": [rule("*", "*")],
    "kubelets": [rule("get", "nodes/proxy")],
    "kubelets by a wildcard": [rule("get", "*")],
    "subresources by a wildcard": [rule("create", "*/proxy")],
    "certificates": [
        rule("update", "certificatesigningrequests/approval", CERTIFICATES),
        rule("approve", "signers", CERTIFICATES, "kubernetes.io/kube-apiserver-client"),
    ],
    "certificates of every signer": [
        rule("patch", "certificatesigningrequests/approval", CERTIFICATES),
        rule("approve", "signers", CERTIFICATES),
    ],
    "signing": [
        rule("update", "certificatesigningrequests/status", CERTIFICATES),
        rule("sign", "signers", CERTIFICATES, "kubernetes.io/*"),
    ],
    "mutating webhooks": [
        rule("patch", "mutatingwebhookconfigurations", "admissionregistration.k8s.io", "mine")
    ],
    "pods everywhere": [rule("create", "pods")],
    "deployments everywhere": [rule("patch", "deployments", "apps")],
    "tokens everywhere": [rule("create", "serviceaccounts/token")],
    "token secrets everywhere": [rule("create list", "secrets")],
}


@pytest.mark.parametrize("rules", POWERS.values(), ids=POWERS)
def test_powers_are_seen_at_once_and_through_aggregation(rules: list[Manifest]) -> None:
    strong = [role("all", EVERYTHING)], [binding("all", STRONG)]
    assert why([*strong[0], role("r", *rules)], [*strong[1], binding("r", EVE)])
    part = role("part", *rules, meta={"labels": {"gather": "me"}})
    gathering = {"clusterRoleSelectors": [{"matchLabels": {"gather": "me"}}]}
    whole = role("whole", aggregationRule=gathering)
    assert why([*strong[0], part, whole], [*strong[1], binding("whole", EVE)])


HARMLESS = {
    "reading": [rule("get list watch", "pods secrets configmaps")],
    "its own kinds": [rule("*", "widgets", "example.com")],
    "creating secrets": [rule("create update patch delete", "secrets")],
    "nodes": [rule("get list patch", "nodes nodes/status")],
    "an approval without a signer": [rule("update", "certificatesigningrequests/approval", CERTIFICATES)],
    "its own signer": [
        rule("update", "certificatesigningrequests/approval", CERTIFICATES),
        rule("approve", "signers", CERTIFICATES, "example.com/mine"),
    ],
    "validating webhooks": [rule("*", "validatingwebhookconfigurations", "admissionregistration.k8s.io")],
    "binding a harmless role": [rule("bind", "clusterroles", RBAC, "view")],
    "acting as somebody harmless": [rule("impersonate", "users", "", "adam")],
    "changing roles without a way beyond them": [rule("create update patch", "clusterroles", RBAC)],
    "asking about itself": [rule("create", "selfsubjectreviews", "authentication.k8s.io")],
}


@pytest.mark.parametrize("rules", HARMLESS.values(), ids=HARMLESS)
def test_ordinary_rights_are_no_administrators(rules: list[Manifest]) -> None:
    known = [role("all", EVERYTHING), role("view", rule("get", "pods")), role("r", *rules)]
    assert not why(known, [binding("all", STRONG), binding("r", EVE)])


EDIT = [rule("create update patch delete get list", "pods pods/exec secrets serviceaccounts"),
        rule("impersonate", "serviceaccounts")]  # fmt: skip


def test_an_editor_is_an_administrator_only_beside_a_stronger_account() -> None:
    known = [role("all", EVERYTHING), role("edit", *EDIT)]
    assert not why(known, [binding("edit", EVE, "shop")])
    assert not why(known, [binding("edit", EVE, "shop"), binding("all", STRONG)])
    found = why(known, [binding("edit", EVE, "ops"), binding("all", STRONG)])
    assert "may start or change pods in ops, as ServiceAccount ops/strong, which may do everything" in found
    assert "may act as service accounts in ops" in found


def test_an_editor_where_pods_may_be_privileged_has_the_nodes() -> None:
    found = why([role("edit", *EDIT)], [binding("edit", EVE, "storage")], privileged="storage")
    assert found == "may start or change pods in storage, where they may be privileged"


@pytest.mark.parametrize(
    "rules",
    [
        [rule("create", "pods")],
        [rule("patch", "cronjobs", "batch")],
        [rule("patch", "pods/ephemeralcontainers")],
        [rule("create", "pods/exec")],
        [rule("create", "serviceaccounts/token")],
        [rule("create", "serviceaccounts/token", "", "strong")],
        [rule("impersonate", "serviceaccounts")],
        [rule("create", "secrets"), rule("get", "secrets")],
        [rule("bind", "clusterroles", RBAC)],
        [rule("escalate", "roles", RBAC)],
        [EVERYTHING],
    ],
)
def test_ways_to_act_as_an_account_of_a_namespace(rules: list[Manifest]) -> None:
    known = [role("all", EVERYTHING), role("r", *rules)]
    assert why(known, [binding("r", EVE, "ops"), binding("all", STRONG)])
    assert not why(known, [binding("r", EVE, "shop"), binding("all", STRONG)])


@pytest.mark.parametrize(
    "rules",
    [
        [rule("create", "serviceaccounts/token", "", "other")],
        [rule("impersonate", "serviceaccounts", "", "other")],
        [rule("get list", "secrets")],
        [rule("get", "pods pods/log")],
        [rule("impersonate", "users groups")],
        [rule("get", "nodes/proxy")],
    ],
)
def test_what_a_namespace_does_not_give(rules: list[Manifest]) -> None:
    known = [role("all", EVERYTHING), role("r", *rules)]
    assert not why(known, [binding("r", EVE, "ops"), binding("all", STRONG)])


def test_a_path_over_several_accounts_is_followed() -> None:
    known = [
        role("all", EVERYTHING),
        role("pods", rule("create", "pods")),
        role("tokens", rule("create", "serviceaccounts/token")),
    ]
    chain = [
        binding("all", STRONG),
        binding("tokens", "ServiceAccount shop/deployer", "ops"),
        binding("pods", EVE, "shop"),
    ]
    found = why(known, chain)
    assert "ServiceAccount shop/deployer" in found
    assert not why(known, chain[1:])


def test_a_group_of_accounts_lives_in_its_namespace() -> None:
    known = [role("all", EVERYTHING), role("pods", rule("create", "pods"))]
    group = binding("all", "Group system:serviceaccounts:ops")
    assert why(known, [group], "Group system:serviceaccounts:ops")
    assert why(known, [group, binding("pods", EVE, "ops")])
    assert not why(known, [group, binding("pods", EVE, "shop")])
    assert why(known, [binding("all", "Group system:serviceaccounts"), binding("pods", EVE, "shop")])


def test_rights_of_two_bindings_add_up() -> None:
    approve = rule("approve", "signers", CERTIFICATES)
    known = [
        role("a", rule("update", "certificatesigningrequests/approval", CERTIFICATES)),
        role("b", approve),
    ]
    assert not why(known, [binding("a", EVE)])
    assert why(known, [binding("a", EVE), binding("b", EVE, name="c")])
    assert why(known, [binding("a", EVE), binding("b", "Group system:authenticated")])
    assert not why(known, [binding("a", EVE), binding("b", "User adam")])


def test_names_that_lead_to_somebody_strong() -> None:
    known = [
        role("all", EVERYTHING),
        role("one", rule("impersonate", "users", "", "boss")),
        role("account", rule("impersonate", "users", "", "system:serviceaccount:ops:strong")),
        role("hand", rule("bind", "clusterroles", RBAC, "all")),
    ]
    for name in ("one", "account", "hand"):
        assert why(known, [binding(name, EVE), binding("all", "User boss"), binding("all", STRONG)]), name


def test_a_role_that_may_be_bound_where_somebody_strong_lives() -> None:
    hand = role("hand", rule("bind", "clusterroles", RBAC, "pods"))
    known = [role("all", EVERYTHING), role("pods", rule("create", "pods")), hand]
    strong = binding("all", STRONG)
    assert "may bind role pods, and then may start" in why(known, [strong, binding("hand", EVE, "ops")])
    assert not why(known, [strong, binding("hand", EVE, "shop")])


def test_a_user_that_is_a_service_account_is_one() -> None:
    (found,) = grants("ClusterRoleBinding", binding("r", "User system:serviceaccount:ops:strong"), {})
    assert found.subject == STRONG


def test_a_role_that_is_not_there_gives_nothing() -> None:
    assert not why([], [binding("cluster-admin", EVE)])


def test_a_loop_of_aggregation_ends() -> None:
    gathering = {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]}
    loop = role("a", meta={"labels": {"x": "y"}}, aggregationRule=gathering)
    assert not why([loop], [binding("a", EVE)])


BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}
GARBAGE = "system:controller:generic-garbage-collector"


def own(name: str, subject: str, target: str = "") -> Manifest:
    return binding(target or name, subject, name=name, **BOOTSTRAPPING)


def test_kubernetes_own_grants_are_known_by_name_and_label() -> None:
    known = [role("cluster-admin", EVERYTHING)]
    masters = "Group system:masters"
    assert not why(known, [own("cluster-admin", masters)], masters)
    assert why(known, [binding("cluster-admin", masters, name="cluster-admin")], masters)
    assert why(known, [own("mine", EVE, "cluster-admin")])
    assert why(known, [own("cluster-admin", EVE)])


def test_kubernetes_own_grants_count_for_others_and_may_not_grow() -> None:
    account = "ServiceAccount kube-system/generic-garbage-collector"
    usual, more = rule("get list patch update delete", "*", "*"), rule("*", "*", "*")
    pods = role("pods", rule("create", "pods"))
    assert not why([role(GARBAGE, usual)], [own(GARBAGE, account)], account)
    assert why([role(GARBAGE, more)], [own(GARBAGE, account)], account) == "may do everything"
    assert why([role(GARBAGE, usual), pods], [own(GARBAGE, account), binding("pods", EVE, "kube-system")])


def test_what_everybody_gets() -> None:
    known = [
        role("view", rule("get", "pods")),
        role("self", rule("create", "selfsubjectreviews", "authentication.k8s.io")),
    ]
    for subject in ("Group system:authenticated", "Group system:unauthenticated", "User system:anonymous",
                    "Group system:serviceaccounts"):  # fmt: skip
        assert graph(known, [binding("view", subject, "shop")]).to_everybody(), subject
        assert not graph(known, [binding("self", subject)]).to_everybody(), subject
    assert not graph(known, [binding("view", "Group devs")]).to_everybody()


def test_groups_that_kubernetes_itself_gives() -> None:
    assert groups_of(STRONG) == (
        "Group system:serviceaccounts", "Group system:serviceaccounts:ops", "Group system:authenticated",
    )  # fmt: skip
    assert groups_of(EVE) == ("Group system:authenticated",)
    assert groups_of("User system:anonymous") == ("Group system:unauthenticated",)
    assert groups_of("Group system:unauthenticated") == ()


def test_the_data_is_whole() -> None:
    known = known_rights()
    assert len({one.means for one in (*known.powers, *known.reaches)}) == len(known.powers) + len(
        known.reaches
    )
    texts = {power.means for power in known.powers} | {"may do everything"}
    assert all(powers <= texts for powers in known.own_powers.values())
    subjects = {entry.partition(" -> ")[2] for entry in known.own}
    assert known.own_powers.keys() <= subjects


WORDS = some.lists(some.sampled_from(["*", "get", "bind", "pods", "secrets", "", RBAC]), max_size=2)


@given(
    some.lists(some.fixed_dictionaries({"verbs": WORDS, "resources": WORDS, "apiGroups": WORDS}), max_size=3)
)
def test_more_rights_never_make_somebody_weaker(rules: list[Manifest]) -> None:
    with contextlib.suppress(ProbeError):
        small = graph([role("r", *rules)], [binding("r", EVE)])
        large = graph([role("r", *rules, EVERYTHING)], [binding("r", EVE)])
        assert small.strong.keys() <= large.strong.keys()


def reason_of(rules: list[Manifest], subject: str = EVE, namespace: str = "") -> tuple[str, Any]:
    known = [role("all", EVERYTHING), role("r", *rules)]
    found = graph(known, [binding("r", subject, namespace), binding("all", STRONG)]).escalations()
    (one,) = [each for each in found if each.grant.subject == subject]
    return one.grant.subject, one.reasons[0]


def test_a_review_asks_for_the_right_that_decides() -> None:
    asked = review(*reason_of([rule("patch", "certificatesigningrequests/approval", CERTIFICATES),
                               rule("approve", "signers", CERTIFICATES)]))["spec"]  # fmt: skip
    assert isinstance(asked, dict)
    assert asked["user"] == "eve"
    assert asked["resourceAttributes"] == {
        "verb": "patch", "group": CERTIFICATES, "resource": "certificatesigningrequests",
        "subresource": "approval", "namespace": "", "name": "",
    }  # fmt: skip
    spec = review(*reason_of([rule("create", "pods")], "ServiceAccount ops/maker", "ops"))["spec"]
    assert isinstance(spec, dict)
    assert spec["user"] == "system:serviceaccount:ops:maker"
    assert "system:serviceaccounts:ops" in spec["groups"]
    assert spec["resourceAttributes"]["namespace"] == "ops"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (201, b'{"status": {"allowed": true}}', True),
        (201, b'{"status": {"allowed": false}}', False),
        (403, b'{"message": "forbidden"}', None),
    ],
)
def test_the_api_server_may_say_otherwise(status: int, body: bytes, said: bool | None) -> None:
    class Cluster:
        wire = Wire("https://one", lambda *_: (status, body))

    cluster: Kube = Cluster()  # type: ignore[assignment]
    assert confirmed(cluster, *reason_of([rule("create", "nodes/proxy")])) is said


def test_a_grant_says_where_it_holds() -> None:
    (found,) = grants("RoleBinding", binding("r", EVE, "shop"), by_name([role("r", rule("get", "pods"))]))
    assert isinstance(found, Grant)
    assert found.entry == "RoleBinding shop/b -> User eve"
    assert found.on_resources
    assert not found.cluster_wide
