"""RBAC from declared rights: valid manifests, one rule per verb, each line with who needs it."""

from __future__ import annotations

import pytest
import yaml

from assay.effect import Effect
from assay.model import Tier
from assay.right import DeclaredRight
from assay.rights.kubernetes import AccountName, rbac, split_resource
from assay.rights.needed import NeededRight


def needed(control: str, *rights: DeclaredRight) -> list[NeededRight]:
    return [NeededRight(control, Tier.LIVE, one) for one in rights]


def k8s(verb: str, *on: str, effect: Effect = Effect.READS, place: str = "") -> DeclaredRight:
    return DeclaredRight("kubernetes", (verb,), on, effect=effect, place=place)


@pytest.mark.parametrize(
    ("resource", "parts"),
    [
        ("pods", ("", "pods")),
        ("pods/exec", ("", "pods/exec")),
        ("apps/deployments", ("apps", "deployments")),
        ("talos.dev/serviceaccounts", ("talos.dev", "serviceaccounts")),
        ("*", ("*", "*")),
        ("/apis/*", ("/", "/apis/*")),
    ],
)
def test_a_resource_is_split_into_group_and_name(resource: str, parts: tuple[str, str]) -> None:
    assert split_resource(resource) == parts


def test_every_document_is_bound_to_the_account() -> None:
    rights = needed("IAM-10", k8s("list", "pods", place="kube-system"), k8s("list", "nodes"))
    documents = list(yaml.safe_load_all(rbac(rights, AccountName("judge", "audit"))))
    kinds = [one["kind"] for one in documents]
    assert kinds == ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    for one in documents:
        if one["kind"].endswith("Binding"):
            assert one["subjects"] == [{"kind": "ServiceAccount", "name": "judge", "namespace": "audit"}]
    assert documents[3]["metadata"] == {"name": "assay-judge", "namespace": "kube-system"}
    assert documents[3]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert documents[1]["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]


def test_each_line_names_the_controls_that_need_it() -> None:
    text = rbac(
        [*needed("SEC-27", k8s("list", "pods")), *needed("ARCH-03", k8s("list", "pods"))], AccountName()
    )
    assert "- pods # ARCH-03, SEC-27\n" in text


def test_paths_names_and_effects_are_kept_apart() -> None:
    bind = DeclaredRight(
        "kubernetes", ("bind",), ("rbac.authorization.k8s.io/clusterroles",), names=("edit",)
    )
    rights = needed(
        "X-01",
        k8s("get", "/version"),
        bind,
        k8s("create", "pods", effect=Effect.DRY_RUN),
        k8s("list", "pods"),
    )
    text = rbac(rights, AccountName())
    rules = next(d for d in yaml.safe_load_all(text) if d["kind"] == "ClusterRole")["rules"]
    assert {"nonResourceURLs": ["/version"], "verbs": ["get"]} in rules
    assert {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterroles"],
        "resourceNames": ["edit"],
        "verbs": ["bind"],
    } in rules
    assert text.index("# dry runs only") > text.index("verbs: [list]")


def test_an_optional_right_is_shown_and_not_granted() -> None:
    everybody = DeclaredRight("kubernetes", ("impersonate",), ("users",), optional=True)
    text = rbac(needed("SEC-02", everybody, k8s("list", "pods")), AccountName())
    assert "  #   verbs: [impersonate]" in text
    rules = next(d for d in yaml.safe_load_all(text) if d["kind"] == "ClusterRole")["rules"]
    assert [one["verbs"] for one in rules] == [["list"]]
