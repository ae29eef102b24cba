"""`assay doctor` on rights: all, half and none of them, for each system, and what stands at each control."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from assay.catalogue import load_catalogue
from assay.config.loader import load_profile
from assay.effect import Effect
from assay.errors import ProbeError
from assay.model import Tier
from assay.preflight import rights
from assay.preflight.check import Check
from assay.preflight.checks import guarded
from assay.preflight.doctor import diagnose
from assay.preflight.rights import rights_asks
from assay.rights.needed import NeededRight, needed_rights
from lab import pki


ROOT = Path(__file__).parents[3]
CATALOGUE = load_catalogue(ROOT)
EXAMPLE = load_profile(ROOT / "stacks" / "example.toml")
PAIRS = {(case.control, case.tier) for case in CATALOGUE.cases if case.tier is Tier.LIVE}
NEEDED = needed_rights(CATALOGUE, EXAMPLE, PAIRS, set(Effect))

May = Callable[[Mapping[str, Mapping[str, str]]], bool]


class FakeKube:
    """Answers several questions at once, as the client does."""

    def together(self, calls: Sequence[Any]) -> list[bool]:
        return [call() for call in calls]


def asked(
    monkeypatch: pytest.MonkeyPatch, system: str, stack: SimpleNamespace, may: May = lambda _: True
) -> list[Check]:
    """Return the checks of one system, on a stack that is not there."""
    monkeypatch.setattr(rights, "may_i", lambda kube, attributes: may(attributes))
    known: Mapping[str, Any] = {who[1]: ask for who, ask in rights_asks(stack, NEEDED)}
    return guarded("right", system, "", known[system])


def stack_of(**parts: object) -> SimpleNamespace:
    return SimpleNamespace(profile=EXAMPLE, kube=FakeKube(), **parts)


def test_all_rights_are_one_line_and_hold_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = asked(monkeypatch, "rights in Kubernetes", stack_of(), lambda attributes: True)
    assert check.ok
    count = int(check.says.split()[0])
    assert count > 50
    assert check.says == f"{count} of {count} that are needed are granted"


def test_without_any_right_every_control_that_asks_kubernetes_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, "rights in Kubernetes", stack_of(), lambda attributes: False)
    assert not any(check.ok for check in found)
    waiting = {case for check in found for case in check.cases}
    declared = {
        (control.id, tier)
        for control in CATALOGUE.controls.values()
        for tier, each in control.rights.items()
        if any(one.system == "kubernetes" and not one.tried for one in each)
    }
    assert waiting == declared


def test_half_of_the_rights_hold_only_those_that_lack_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def may(attributes: Mapping[str, Mapping[str, str]]) -> bool:
        return attributes.get("resourceAttributes", {}).get("resource") != "secrets"

    found = asked(monkeypatch, "rights in Kubernetes", stack_of(), may)
    (lacking,) = [check for check in found if not check.ok]
    assert lacking.subject == "Kubernetes: list secrets"
    assert lacking.cases == {("NODE-06", Tier.LIVE), ("SEC-27", Tier.LIVE)}
    assert 'ClusterRole: apiGroups: [""], resources: ["secrets"], verbs: [list]' in lacking.remedy
    assert "assay rights --control NODE-06 --tier live" in lacking.remedy
    diagnosis = diagnose(CATALOGUE, EXAMPLE, found, {})
    missing = {(one.control, one.tier): one.missing for one in diagnosis.cases}
    assert "Kubernetes: list secrets: not granted" in missing["SEC-27", Tier.LIVE]
    assert "Kubernetes: list secrets: not granted" not in missing["PERF-08", Tier.LIVE]


def test_a_review_asks_in_the_words_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Mapping[str, Mapping[str, str]]] = []
    asked(monkeypatch, "rights in Kubernetes", stack_of(), lambda attributes: bool(seen.append(attributes)))
    plain = [one["resourceAttributes"] for one in seen if "resourceAttributes" in one]
    paths = [one["nonResourceAttributes"] for one in seen if "nonResourceAttributes" in one]
    assert {"verb": "get", "path": "/version"} in paths
    base = {"subresource": "", "namespace": "", "name": ""}
    assert {**base, "verb": "list", "group": "apps", "resource": "deployments"} in plain
    ephemeral = {"verb": "patch", "group": "", "resource": "pods", "subresource": "ephemeralcontainers"}
    assert {**base, **ephemeral} in plain
    system = {"verb": "list", "group": "", "resource": "pods", "namespace": "kube-system"}
    assert {**base, **system} in plain
    assert not [one for one in plain if one["verb"] == "impersonate"]  # optional
    assert not [one for one in plain if one["group"] == "kyverno.io"]  # only with Kyverno


def vault_with(policy: Mapping[str, set[str]], default: set[str]) -> SimpleNamespace:
    def capabilities(paths: Sequence[str]) -> dict[str, frozenset[str]]:
        return {path: frozenset(policy.get(path, default)) for path in paths}

    return SimpleNamespace(capabilities=capabilities)


def test_vault_says_which_capability_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = vault_with({"sys/audit": {"read"}}, {"read", "list", "update", "sudo"})
    found = asked(monkeypatch, "rights in Vault", stack_of(vault=vault))
    (lacking,) = [check for check in found if not check.ok]
    assert lacking.subject == "Vault: sudo sys/audit"
    assert lacking.cases == {("SEC-24", Tier.LIVE)}
    assert 'path "sys/audit": capability "sudo"' in lacking.remedy


def test_vault_without_any_right_and_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    none = asked(monkeypatch, "rights in Vault", stack_of(vault=vault_with({}, {"deny"})))
    assert not any(check.ok for check in none)
    assert {case for one in none for case in one.cases} >= {("ACC-04", Tier.LIVE), ("SEC-25", Tier.LIVE)}
    assert [
        one.ok for one in asked(monkeypatch, "rights in Vault", stack_of(vault=vault_with({}, {"root"})))
    ] == [True]


def test_a_token_that_may_not_even_ask_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(paths: Sequence[str]) -> dict[str, frozenset[str]]:
        raise ProbeError("sys/capabilities-self: the token has no right to it", "renew it")

    found = asked(monkeypatch, "rights in Vault", stack_of(vault=SimpleNamespace(capabilities=refused)))
    assert [one.ok for one in found] == [False]
    assert "no right" in found[0].says


def talosconfig(folder: Path, role: str) -> Path:
    """Return a talosconfig whose certificate bears one role."""
    pair = pki.issue(pki.authority("talos"), "somebody", organization=role)
    context = {"crt": base64.b64encode(pair.cert).decode(), "endpoints": ["192.0.2.11"]}
    file = folder / role.replace(":", "-")
    file.write_text(yaml.safe_dump({"context": "x", "contexts": {"x": context}}))
    return file


@pytest.mark.parametrize(
    ("role", "lacking"),
    [("os:admin", set()), ("os:operator", {"os:admin"}), ("os:reader", {"os:admin", "os:operator"})],
)
def test_the_role_of_the_talos_certificate_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, role: str, lacking: set[str]
) -> None:
    talos = replace(EXAMPLE.talos, config=talosconfig(tmp_path, role), reader_config=None)
    stack = SimpleNamespace(profile=replace(EXAMPLE, talos=talos))
    found = asked(monkeypatch, "role in Talos", stack)
    assert {check.subject.removeprefix("Talos: ") for check in found if not check.ok} == lacking
    if "os:admin" in lacking:
        cases = next(check.cases for check in found if check.subject == "Talos: os:admin")
        assert ("DEP-05", Tier.LIVE) in cases
        assert ("NODE-01", Tier.LIVE) not in cases


def test_systems_that_the_profile_does_not_name_are_not_asked() -> None:
    bare = replace(
        EXAMPLE, kube=replace(EXAMPLE.kube, kubeconfig=None), vault=replace(EXAMPLE.vault, token=None)
    )
    bare = replace(bare, talos=replace(EXAMPLE.talos, config=None, reader_config=None))
    needed: list[NeededRight] = NEEDED
    assert list(rights_asks(SimpleNamespace(profile=bare), needed)) == []  # type: ignore[arg-type]
