"""Secrets as manifests name them: who uses one, and who declares where it comes from."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from assay.config.platform import SecretElsewhere
from assay.formats.yaml_text import Document, YamlScalar
from assay.model import Offender
from assay.origins.makers import declared_by_makers
from assay.probes.gitops.manifests import Manifests
from assay.probes.sops.client import Sops


EXTERNAL = ("ExternalSecret", "ClusterExternalSecret")
# A name that a template or Flux fills in: which Secret it is stands elsewhere.
FILLED_IN = re.compile(r"\$\{|\{\{")
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
        Use(manifests.ref(file, leaf.line), leaf.text)
        for file, documents in manifests.files.items()
        for document in documents
        for leaf in document.leaves
        if names_one(leaf)
    ]


def names_one(leaf: YamlScalar) -> bool:
    """Return whether a value in a manifest names a Secret that a pod takes."""
    path = leaf.path
    if FILLED_IN.search(leaf.text):
        return False
    return path[-2:] in NAMES or (len(path) > 2 and path[-3] == "imagePullSecrets" and path[-1] == "name")


def declared_secrets(
    manifests: Manifests, sops: Sops, elsewhere: Iterable[SecretElsewhere]
) -> frozenset[str]:
    """Return the names of all Secrets whose origin is declared, as globs.

    Args:
        manifests: for ExternalSecrets, and for objects of controllers that ask for Secrets (see `makers`).
        sops: for encrypted files; a name in them is not encrypted.
        elsewhere: Secrets that the profile declares, with a reason.

    Raises:
        ProbeError: a file cannot be read.
    """
    written = [document for documents in manifests.files.values() for document in documents]
    external = {_target(one) for one in written if one.get("kind") in EXTERNAL}
    encrypted = {one.get("metadata", "name") for file in sops.files if any(file.about)
                 for one in file.documents if one.get("kind") == "Secret"}  # fmt: skip
    asked = declared_by_makers(written)
    return frozenset(external | encrypted | asked | {one.name for one in elsewhere})


def undeclared(used: Iterable[Use], declared: Collection[str]) -> list[Offender]:
    """Return the places that name a Secret of which no origin is declared."""
    return [
        Offender(one.ref, f"Secret {one.secret} comes from nowhere")
        for one in used
        if not any(fnmatch.fnmatchcase(one.secret, glob) for glob in declared)
    ]


def _target(document: Document) -> str:
    """Return the Secret that an ExternalSecret makes, or one that a ClusterExternalSecret makes of it."""
    inner = ("spec", "externalSecretSpec", "target", "name")
    ref = document.get("spec", "target", "name") or document.get(*inner)
    return ref or document.get("spec", "externalSecretName") or document.get("metadata", "name")
