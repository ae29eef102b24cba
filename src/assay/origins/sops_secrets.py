"""What the files that SOPS encrypts say of Secrets and of machine configurations, as marks of the values."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from assay.errors import ProbeError
from assay.formats.parsing import WRONG
from assay.formats.yaml_text import Document
from assay.origins.levels import SopsSecret
from assay.origins.machines import EncryptedConfig
from assay.origins.talos_secrets import encrypted_config
from assay.probes.sops.client import Sops
from assay.probes.sops.file import SecretFile
from assay.secretscan.fingerprint import Fingerprinter


def sops_secrets(sops: Sops, marker: Fingerprinter) -> list[SopsSecret]:
    """Return every Secret of the encrypted files, its values as marks; they are decrypted in memory.

    Raises:
        ProbeError: no identity is given, a file does not open, or what it holds is no manifest.
    """
    return [one for file in sops.files if any(file.about) for one in _filed(sops, file, marker)]


def encrypted_configs(sops: Sops, marker: Fingerprinter) -> list[EncryptedConfig]:
    """Return what the encrypted files say of machine configurations, bundles and patches, as marks.

    Raises:
        ProbeError: no identity is given, or a file does not open.
    """
    files = [file for file in sops.files if any(file.about) and not all(map(_manifest, file.documents))]
    clear = [(file.where, one) for file in files for one in sops.decrypted(file) if isinstance(one, dict)]
    return [found for where, one in clear if (found := encrypted_config(where, one, marker)) is not None]


def _filed(sops: Sops, file: SecretFile, marker: Fingerprinter) -> list[SopsSecret]:
    try:
        documents = [one for one in sops.decrypted(file) if one.get("kind") == "Secret"]
        return [_marked(file.where, one, marker) for one in documents]
    except WRONG as why:
        # Without the cause: it may quote what was decrypted.
        raise ProbeError(
            f"{file.where}: holds no manifests ({type(why).__name__})", "encrypt manifests only"
        ) from None


def _manifest(document: Document) -> bool:
    """Return whether a document is one for Kubernetes; those for machines have no metadata."""
    return bool(document.under("metadata"))


def _marked(where: str, document: Mapping[str, Any], marker: Fingerprinter) -> SopsSecret:
    meta, coded, clear = document["metadata"], document.get("data") or {}, document.get("stringData") or {}
    marks = {key: marker.mark(base64.b64decode(text)) for key, text in coded.items()}
    marks |= {key: marker.mark(str(text).encode()) for key, text in clear.items()}
    return SopsSecret(where, str(meta.get("namespace", "")), str(meta["name"]), marks)
