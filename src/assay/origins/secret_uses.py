"""Secrets as manifests name them: who uses one, and who declares where it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.formats.yaml_text import Document, YamlScalar
from assay.probes.gitops.manifests import Manifests
from assay.probes.sops.client import Sops


EXTERNAL = ("ExternalSecret", "ClusterExternalSecret")
NAMES = (("secretKeyRef", "name"), ("secretRef", "name"), ("secret", "name"), ("secret", "secretName"))


@dataclass(frozen=True, slots=True)
class Use:
    """One place that names a Secret: `File path:line`, and the Secret's name."""

    ref: str
    secret: str


def uses(manifests: Manifests) -> list[Use]:
    """Return every place in a manifest that takes a Secret into a pod.

    Raises:
        ProbeError: a file cannot be read.
    """
    return [
        Use(f"File {file.relative_to(manifests.path.parent)}:{leaf.line}", leaf.text)
        for file, documents in manifests.files.items()
        if file.is_relative_to(manifests.path)
        for document in documents
        for leaf in document.leaves
        if names_one(leaf)
    ]


def names_one(leaf: YamlScalar) -> bool:
    """Return whether a value in a manifest names a Secret that a pod takes."""
    path = leaf.path
    return path[-2:] in NAMES or (len(path) > 2 and path[-3] == "imagePullSecrets" and path[-1] == "name")


def declared_secrets(manifests: Manifests, sops: Sops, elsewhere: Iterable[str]) -> frozenset[str]:
    """Return the names of all Secrets whose origin is declared.

    Args:
        manifests: for ExternalSecrets.
        sops: for encrypted files; a name in them is not encrypted.
        elsewhere: `name=reason`, declared by the policy.

    Raises:
        ProbeError: a file cannot be read.
    """
    written = [document for documents in manifests.files.values() for document in documents]
    external = {_target(one) for one in written if one.get("kind") in EXTERNAL}
    filed = {one.get("metadata", "name") for file in sops.files if any(file.about)
             for one in file.documents if one.get("kind") == "Secret"}  # fmt: skip
    return frozenset(external | filed | {entry.partition("=")[0] for entry in elsewhere})


def _target(document: Document) -> str:
    """Return the Secret that an ExternalSecret makes, or one that a ClusterExternalSecret makes of it."""
    inner = ("spec", "externalSecretSpec", "target", "name")
    ref = document.get("spec", "target", "name") or document.get(*inner)
    return ref or document.get("spec", "externalSecretName") or document.get("metadata", "name")
