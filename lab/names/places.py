"""Find the names in YAML by where they stand: which scalar is a namespace, a Secret, a path in Vault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from lab.names import Names


BY_KEY = {
    "allowedKubernetesNamespaces": "Namespace",
    "app.kubernetes.io/name": "App",
    "app.kubernetes.io/part-of": "Part",
    "audience": "VaultAudience",
    "audiences": "VaultAudience",
    "bound_service_account_names": "ServiceAccount",
    "bound_service_account_namespaces": "Namespace",
    "kubernetes.io/hostname": "Node",
    "kubernetes.io/metadata.name": "Namespace",
    "namespace": "Namespace",
    "policyName": "ValidatingAdmissionPolicy",
    "secretName": "Secret",
    "serviceAccountName": "ServiceAccount",
    "serviceName": "Service",
    "statefulset.kubernetes.io/pod-name": "Pod",
    "storageClassName": "StorageClass",
    "token_policies": "VaultPolicy",
}
# By a label or annotation of the platform's own, as the reference platform calls it.
BY_LABEL = {
    "platform.example/backup-of": "StatefulService",
    "platform.example/cluster": "Service",
    "platform.example/pool": "Pool",
    "platform.example/stack": "Stack",
}
BY_PAIR: dict[tuple[str, ...], str] = {
    ("claimRef", "name"): "PersistentVolumeClaim",
    ("configMap", "name"): "ConfigMap",
    ("configMapGenerator", "name"): "ConfigMap",
    ("configMapRef", "name"): "ConfigMap",
    ("containers", "name"): "Container",
    ("extract", "key"): "VaultPath",
    ("initContainers", "name"): "Container",
    ("kubernetes", "mountPath"): "VaultAuth",
    ("kubernetes", "role"): "VaultRole",
    ("registerWithTaints", "value"): "Taint",
    ("remoteRef", "key"): "VaultPath",
    ("replication", "username"): "DatabaseRole",
    ("secret", "name"): "Secret",
    ("secretKeyRef", "name"): "Secret",
    ("secretStoreRef", "name"): "SecretStore",
    ("service", "name"): "Service",
    ("serviceAccountRef", "name"): "ServiceAccount",
    ("target", "name"): "Secret",
    ("tolerations", "value"): "Taint",
    ("vault", "path"): "VaultMount",
}
# A name whose kind stands beside it, under this key.
BY_SIBLING: dict[tuple[str, ...], str] = {
    ("caProvider", "name"): "type",
    ("roleRef", "name"): "kind",
    ("subjects", "name"): "kind",
}
BY_RESOURCE = {
    "configmaps": "ConfigMap",
    "endpoints": "Service",
    "namespaces": "Namespace",
    "namespaces/finalizers": "Namespace",
    "pods": "Pod",
    "serviceaccounts/token": "ServiceAccount",
}
PATRONI_SCOPE = ("scope",)
OBJECT = ("metadata", "name")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scalar stands: the keys that lead to it, the texts beside it, the kind of its document."""

    path: tuple[str, ...]
    beside: Mapping[str, list[str]]
    document: str

    def kind(self, names: Names) -> str:
        """Return the kind of name that stands here, empty where it is not known to be a name.

        Args:
            names: those that the document is written with.
        """
        key, pair = self.path[-1], self.path[-2:]
        if self.path == OBJECT:
            return self.document
        if self.path == PATRONI_SCOPE:
            return "Service"
        if key == "resourceNames":
            return BY_RESOURCE.get(self._beside("resources"), "")
        if pair == ("matchExpressions", "values"):
            return BY_KEY.get(self._beside("key"), "")
        if pair in BY_SIBLING:
            return self._beside(BY_SIBLING[pair])
        labels = {names.of("Label", label): kind for label, kind in BY_LABEL.items()}
        return BY_PAIR.get(pair) or BY_KEY.get(key) or labels.get(key, "")

    def _beside(self, key: str) -> str:
        return (self.beside.get(key) or [""])[0]


def places(
    node: yaml.Node,
    document: str = "",
    path: tuple[str, ...] = (),
    beside: Mapping[str, list[str]] | None = None,
) -> Iterator[tuple[Place, yaml.ScalarNode]]:
    """Yield every scalar value below `node` with its place; an item of a list stands where the list does."""
    if isinstance(node, yaml.MappingNode):
        inner = {key.value: _texts(value) for key, value in node.value}
        document = document or (inner.get("kind") or [""])[0]
        for key, value in node.value:
            yield from places(value, document, (*path, key.value), inner)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from places(item, document, path, beside)
    elif isinstance(node, yaml.ScalarNode) and path:
        yield Place(path, beside or {}, document), node


def _texts(node: yaml.Node) -> list[str]:
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return [item.value for item in items if isinstance(item, yaml.ScalarNode)]
