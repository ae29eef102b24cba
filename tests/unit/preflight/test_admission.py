"""`assay init`: people, administrators and the signature gate, as the cluster itself has them."""

from __future__ import annotations

from typing import Any

import pytest

from assay.config.platform import Signatures
from assay.preflight import admission
from assay.preflight.profile_text import Findings
from assay.probes.kube.facts import Namespace
from assay.probes.kube.people import IdentityFlags
from assay.probes.kube.rbac import Grant, PolicyRule, Rbac
from assay.probes.kube.registrations import Hook, ImageGate
from assay.probes.kube.selectors import selector


EVERYTHING = PolicyRule(*(frozenset({"*"}),) * 3)


class Cluster:
    def rbac(self) -> Rbac:
        made = [("ops", "Group ops"), ("cd", "ServiceAccount cd/deployer")]
        grants = [
            Grant("ClusterRoleBinding", "", n, "ClusterRole all", who, (EVERYTHING,)) for n, who in made
        ]
        reading = PolicyRule(frozenset({"get"}), frozenset({""}), frozenset({"pods"}))
        return Rbac((*grants, Grant("RoleBinding", "shop", "r", "Role r", "User jo", (reading,))), {})

    def namespaces(self) -> list[Namespace]:
        return [Namespace("shop", {"on": "yes"}, {}, True), Namespace("gate", {}, {}, True)]


def gate(*hooks: Hook) -> Any:  # noqa: ANN401
    def read(_kube: object, _declared: Signatures) -> ImageGate:
        return ImageGate(hooks)

    return read


def test_administrators_are_proposed_and_only_they() -> None:
    found = Findings()
    admission.administrators(Cluster(), found)  # type: ignore[arg-type]
    entry = found.keys["platform.identity.administrators"]
    assert entry.value == [
        "ClusterRoleBinding cd -> ServiceAccount cd/deployer",
        "ClusterRoleBinding ops -> Group ops",
    ]
    assert entry.proposed


def test_namespaces_out_of_the_gates_sight_are_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = selector({"matchLabels": {"on": "yes"}})
    hook = Hook(
        "ValidatingWebhookConfiguration", "c", "h", "Known", "", (), (), chosen, selector(), (), False
    )
    monkeypatch.setattr(admission, "image_gate", gate(hook))
    found = Findings()
    admission.unsigned(Cluster(), found)  # type: ignore[arg-type]
    entry = found.keys["platform.namespaces.unsigned"]
    assert (entry.value, entry.source, entry.proposed) == (["gate"], "not looked into by Known", True)


def test_without_a_gate_no_namespace_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "image_gate", gate())
    found = Findings()
    admission.unsigned(Cluster(), found)  # type: ignore[arg-type]
    assert not found.keys


ONE, OTHER = (
    IdentityFlags("https://id", "kube", groups_prefix="oidc:"),
    IdentityFlags("https://other", "kube"),
)


@pytest.mark.parametrize(
    ("flags", "issuer"),
    [({"a": ONE, "b": ONE}, "https://id"), ({"a": ONE, "b": OTHER}, None), ({}, None)],
)
def test_people_are_noted_where_every_server_says_the_same(
    monkeypatch: pytest.MonkeyPatch, flags: dict[str, IdentityFlags], issuer: str | None
) -> None:
    monkeypatch.setattr(admission, "identity_flags", lambda _: flags)
    found = Findings()
    admission.people(Cluster(), found)  # type: ignore[arg-type]
    assert (found.keys["oidc.issuer"].value if issuer else None) == issuer
    assert ("platform.identity.prefix" in found.keys) is bool(issuer)
