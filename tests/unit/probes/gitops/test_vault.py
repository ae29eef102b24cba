"""Vault's configuration as objects of operators: each published shape comes to the same policy and role."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.config.trees import SourceTree
from assay.errors import ProbeError
from assay.probes.gitops.manifests import Manifests
from assay.probes.gitops.vault import VaultInManifests
from assay.probes.vault.declared import DeclaredVault


RULE = 'path "kv/data/shop/web" { capabilities = ["read"] }'
BANK_VAULTS = f"""
  policies:
    - name: web
      rules: {RULE}
  auth:
    - type: token
    - type: kubernetes
      path: k8s
      roles:
        - name: web
          bound_service_account_names: [web]
          bound_service_account_namespaces: [shop]
          audience: vault
          policies: web
          ttl: 15m
          max_ttl: 1h
"""
SHAPES = {
    "bank-vaults, its object": "apiVersion: vault.banzaicloud.com/v1alpha1\nkind: Vault\n"
    "metadata: {name: vault}\nspec:\n  size: 3\n  externalConfig:" + BANK_VAULTS.replace("\n", "\n  "),
    "bank-vaults, a file of its own": BANK_VAULTS.replace("\n  ", "\n"),
    "vault-config-operator": f"""
apiVersion: redhatcop.redhat.io/v1alpha1
kind: Policy
metadata: {{name: web}}
spec:
  policy: |
    {RULE}
---
apiVersion: redhatcop.redhat.io/v1alpha1
kind: KubernetesAuthEngineRole
metadata: {{name: other}}
spec:
  name: web
  path: k8s
  policies: [web]
  targetServiceAccounts: [web]
  targetNamespaces: {{targetNamespaces: [shop]}}
  audience: vault
  tokenTTL: 900
  tokenMaxTTL: 3600
""",
    "Crossplane": f"""
apiVersion: vault.vault.upbound.io/v1alpha1
kind: Policy
metadata: {{name: some}}
spec:
  forProvider:
    name: web
    policy: {RULE}
---
apiVersion: kubernetes.vault.upbound.io/v1alpha1
kind: AuthBackendRole
metadata: {{name: some}}
spec:
  forProvider:
    roleName: web
    backend: k8s
    boundServiceAccountNames: [web]
    boundServiceAccountNamespaces: [shop]
    audience: vault
    tokenPolicies: [web]
    tokenTtl: 900
    tokenMaxTtl: 3600
""",
}


def declared(folder: Path, text: str) -> DeclaredVault:
    (folder / "vault.yaml").write_text(text)
    return DeclaredVault([VaultInManifests(Manifests([SourceTree(folder, "gitops")]))])


@pytest.mark.parametrize("shape", SHAPES)
def test_each_operators_shape_is_the_same_role_and_policy(tmp_path: Path, shape: str) -> None:
    found = declared(tmp_path, SHAPES[shape])
    (role,), (policy,) = found.roles(), found.policies()
    assert (role.ref, role.accounts, role.namespaces, role.audience) == (
        "VaultRole k8s/web", ("web",), ("shop",), "vault",
    )  # fmt: skip
    assert (role.policies, role.ttl, role.max_ttl, role.open_ends()) == (("web",), 900, 3600, [])
    assert [str(rule) for rule in policy.rules] == ["kv/data/shop/web: read"]


def test_kubevault_names_roles_and_policies_by_itself(tmp_path: Path) -> None:
    found = declared(tmp_path, f"""
apiVersion: policy.kubevault.com/v1alpha1
kind: VaultPolicy
metadata: {{name: web, namespace: shop}}
spec:
  policyDocument: |
    {RULE}
---
apiVersion: policy.kubevault.com/v1alpha1
kind: VaultPolicyBinding
metadata: {{name: web, namespace: shop}}
spec:
  policies: [{{ref: web}}]
  subjectRef:
    kubernetes: {{serviceAccountNames: ["*"], serviceAccountNamespaces: [shop], ttl: "900", maxTTL: "900"}}
""")  # fmt: skip
    (role,), (policy,) = found.roles(), found.policies()
    assert role.policies == (policy.name,) == ("k8s.-.shop.web",)
    assert role.open_ends() == ["service accounts: *", "no audience"]


def test_an_operators_namespaces_by_label_and_default_account_are_open_ends(tmp_path: Path) -> None:
    text = """
apiVersion: redhatcop.redhat.io/v1alpha1
kind: KubernetesAuthEngineRole
metadata: {name: web}
spec:
  policies: [web]
  targetNamespaces: {targetNamespaceSelector: {matchLabels: {team: a}}}
"""
    (role,) = declared(tmp_path, text).roles()
    assert role.accounts == ("default",)
    assert any("by label" in one for one in role.open_ends())


def test_what_is_declared_twice_and_differs_is_an_error(tmp_path: Path) -> None:
    text = SHAPES["Crossplane"] + "---" + SHAPES["Crossplane"].replace("[shop]", "[pay]")
    with pytest.raises(ProbeError, match="VaultRole k8s/web is declared twice"):
        declared(tmp_path, text).roles()


def test_an_object_of_another_shape_is_an_error(tmp_path: Path) -> None:
    head = "apiVersion: kubernetes.vault.upbound.io/v1alpha1\nkind: AuthBackendRole\n"
    text = f"{head}metadata: {{name: x}}\nspec: {{a: b}}\n"
    with pytest.raises(ProbeError, match="another shape"):
        declared(tmp_path, text).roles()
