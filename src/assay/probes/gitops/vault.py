"""Vault's policies and Kubernetes roles as objects of an operator in the manifests.

Known by their published shape: bank-vaults' `Vault` and its configuration files, the vault-config-operator,
Crossplane's provider of Vault, and KubeVault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from assay.formats.parsing import parsing
from assay.formats.yaml_text import YamlScalar
from assay.probes.gitops.manifests import Manifests
from assay.probes.vault.policy import VaultPolicy, VaultRole, policy, vault_role


Tree = Mapping[str, Any]
# The API's field -> the field of Crossplane's and of the vault-config-operator's object.
CROSSPLANE = {
    "bound_service_account_names": "boundServiceAccountNames",
    "bound_service_account_namespaces": "boundServiceAccountNamespaces",
    "audience": "audience", "token_policies": "tokenPolicies", "token_ttl": "tokenTtl",
    "token_max_ttl": "tokenMaxTtl", "token_period": "tokenPeriod", "token_type": "tokenType",
}  # fmt: skip
CONFIG_OPERATOR = {
    "bound_service_account_names": "targetServiceAccounts",
    "audience": "audience", "token_policies": "policies", "token_ttl": "tokenTTL",
    "token_max_ttl": "tokenMaxTTL", "token_period": "tokenPeriod", "token_type": "tokenType",
}  # fmt: skip
KUBEVAULT = {
    "bound_service_account_names": "serviceAccountNames",
    "bound_service_account_namespaces": "serviceAccountNamespaces",
    "token_ttl": "ttl", "token_max_ttl": "maxTTL", "token_period": "period",
}  # fmt: skip
# What bank-vaults puts the accessor of an auth method in place of.
ACCESSOR = re.compile(r"\$\{\s*accessor\s+`[^`]*`\s*\}")
DEFAULT_MOUNT = "kubernetes"


class VaultInManifests:
    """What objects of an operator declare for Vault."""

    def __init__(self, manifests: Manifests) -> None:
        """Read nothing yet."""
        self._manifests = manifests

    @parsing("an object that configures Vault", "fix the manifest")
    def policies(self) -> list[VaultPolicy]:
        """Return the policies, none where nothing declares one.

        Raises:
            ProbeError: a file cannot be read, or what stands there is no policy.
        """
        found = (one for kind, tree in self._objects() for one in _policies(kind, tree))
        return [policy(name, written) for name, written in found]

    @parsing("an object that configures Vault", "fix the manifest")
    def roles(self) -> list[VaultRole]:
        """Return the roles, none where nothing declares one.

        Raises:
            ProbeError: a file cannot be read, or what stands there is no role.
        """
        found = (one for kind, tree in self._objects() for one in _roles(kind, tree))
        return [vault_role(name, said, mount) for mount, name, said in found]

    def _objects(self) -> Iterator[tuple[str, Tree]]:
        for documents in self._manifests.files.values():
            for document in documents:
                group, kind = document.get("apiVersion").partition("/")[0], document.get("kind")
                if f"{group} {kind}" in KINDS or not kind:
                    yield f"{group} {kind}", nested(document.leaves)


def _policies(kind: str, tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield name and text of the policies of one object."""
    meta, spec = tree.get("metadata") or {}, tree.get("spec") or {}
    if kind == "redhatcop.redhat.io Policy":
        yield spec.get("name") or meta["name"], spec["policy"]
    elif kind == "vault.vault.upbound.io Policy":
        yield spec["forProvider"]["name"], spec["forProvider"]["policy"]
    elif kind == "policy.kubevault.com VaultPolicy":
        yield spec.get("vaultPolicyName") or _kubevault(meta), spec["policyDocument"]
    elif kind in ("vault.banzaicloud.com Vault", " "):
        for one in _bank_vaults(kind, tree).get("policies") or ():
            if isinstance(one, Mapping) and "rules" in one:
                yield one["name"], ACCESSOR.sub("*", one["rules"])


def _roles(kind: str, tree: Tree) -> Iterator[tuple[str, str, Tree]]:
    """Yield mount, name and the API's own fields of the roles of one object."""
    meta, spec = tree.get("metadata") or {}, tree.get("spec") or {}
    if kind == "redhatcop.redhat.io KubernetesAuthEngineRole":
        spaces = spec.get("targetNamespaces") or {}
        said = _renamed(spec, CONFIG_OPERATOR)
        said.setdefault("bound_service_account_names", ["default"])
        said["bound_service_account_namespaces"] = spaces.get("targetNamespaces") or []
        selector = spaces.get("targetNamespaceSelector") or spec.get("targetNamespaceSelector")
        said["bound_service_account_namespace_selector"] = str(selector or "")
        yield spec.get("path") or DEFAULT_MOUNT, spec.get("name") or meta["name"], said
    elif kind == "kubernetes.vault.upbound.io AuthBackendRole":
        given = spec["forProvider"]
        yield given.get("backend") or DEFAULT_MOUNT, given["roleName"], _renamed(given, CROSSPLANE)
    elif kind == "policy.kubevault.com VaultPolicyBinding":
        yield from _binding(meta, spec)
    elif kind in ("vault.banzaicloud.com Vault", " "):
        for method in _bank_vaults(kind, tree).get("auth") or ():
            if isinstance(method, Mapping) and method.get("type") == "kubernetes":
                for role in method.get("roles") or ():
                    yield method.get("path") or DEFAULT_MOUNT, role["name"], role


def _binding(meta: Tree, spec: Tree) -> Iterator[tuple[str, str, Tree]]:
    subject = (spec.get("subjectRef") or {}).get("kubernetes")
    if subject:
        bound = [
            one.get("name") or _kubevault({**meta, "name": one["ref"]}) for one in spec.get("policies") or ()
        ]
        said = {**_renamed(subject, KUBEVAULT), "token_policies": bound}
        yield subject.get("path") or DEFAULT_MOUNT, spec.get("vaultRoleName") or _kubevault(meta), said


def _kubevault(meta: Tree) -> str:
    """Return the name that KubeVault gives a policy or a role in Vault, where it knows no cluster's name."""
    return f"k8s.-.{meta.get('namespace', 'default')}.{meta['name']}"


def _bank_vaults(kind: str, tree: Tree) -> Tree:
    """Return what bank-vaults is told: of its object, or a file of its own that has no kind."""
    inside = (tree.get("spec") or {}).get("externalConfig") if kind.strip() else tree
    return inside if isinstance(inside, Mapping) else {}


def _renamed(given: Tree, names: Mapping[str, str]) -> dict[str, Any]:
    return {field: given[own] for field, own in names.items() if given.get(own)}


def nested(leaves: Iterable[YamlScalar]) -> Tree:
    """Return mappings, lists and texts as a document has them, of its scalars."""
    tree: dict[str | int, Any] = {}
    for leaf in leaves:
        place = tree
        for step in leaf.path[:-1]:
            place = place.setdefault(step, {})
        if leaf.path:
            place[leaf.path[-1]] = leaf.text
    plain = _lists(tree)
    return plain if isinstance(plain, Mapping) else {}


def _lists(tree: Any) -> Any:  # noqa: ANN401 - YAML holds anything
    if not isinstance(tree, dict):
        return tree
    inner = {key: _lists(value) for key, value in tree.items()}
    return list(inner.values()) if inner and all(isinstance(key, int) for key in inner) else inner


KINDS = frozenset({
    "redhatcop.redhat.io Policy", "redhatcop.redhat.io KubernetesAuthEngineRole",
    "vault.vault.upbound.io Policy", "kubernetes.vault.upbound.io AuthBackendRole",
    "policy.kubevault.com VaultPolicy", "policy.kubevault.com VaultPolicyBinding",
    "vault.banzaicloud.com Vault",
})  # fmt: skip
