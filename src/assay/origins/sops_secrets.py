"""What the files that SOPS encrypts say of Secrets and of machine configurations, as fingerprints of the values."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from assay.errors import ProbeError
from assay.formats.parsing import WRONG
from assay.formats.yaml_text import Document
from assay.origins.machines import EncryptedConfig
from assay.origins.sources import SopsSecret
from assay.origins.talos_secrets import encrypted_config
from assay.probes.sops.client import Sops
from assay.probes.sops.file import SecretFile
from assay.secretscan.fingerprint import Fingerprinter


def sops_secrets(sops: Sops, fingerprinter: Fingerprinter) -> list[SopsSecret]:
    """Return every Secret of the encrypted files, its values as fingerprints; they are decrypted in memory.

    Raises:
        ProbeError: no identity is given, a file does not open, or what it holds is not a manifest.
    """
    return [one for file in sops.files if any(file.about) for one in _of_file(sops, file, fingerprinter)]


def encrypted_configs(sops: Sops, fingerprinter: Fingerprinter) -> list[EncryptedConfig]:
    """Return what the encrypted files say of machine configurations, bundles and patches, as fingerprints.

    Raises:
        ProbeError: no identity is given, or a file does not open.
    """
    files = [file for file in sops.files if any(file.about) and not all(map(_manifest, file.documents))]
    clear = [(file.where, one) for file in files for one in sops.decrypted(file) if isinstance(one, dict)]
    return [
        found for where, one in clear if (found := encrypted_config(where, one, fingerprinter)) is not None
    ]


def _of_file(sops: Sops, file: SecretFile, fingerprinter: Fingerprinter) -> list[SopsSecret]:
    try:
        documents = [one for one in sops.decrypted(file) if one.get("kind") == "Secret"]
        return [_fingerprinted(file.where, one, fingerprinter) for one in documents]
    except WRONG as why:
        # Without the cause: it may quote what was decrypted.
        raise ProbeError(
            f"{file.where}: holds something other than manifests ({type(why).__name__})",
            "encrypt manifests only",
        ) from None


def _manifest(document: Document) -> bool:
    """Return whether a document is one for Kubernetes; those for machines have no metadata."""
    return bool(document.under("metadata"))


def _fingerprinted(where: str, document: Mapping[str, Any], fingerprinter: Fingerprinter) -> SopsSecret:
    meta, coded, clear = document["metadata"], document.get("data") or {}, document.get("stringData") or {}
    fingerprints = {key: fingerprinter.fingerprint(base64.b64decode(text)) for key, text in coded.items()}
    fingerprints |= {key: fingerprinter.fingerprint(str(text).encode()) for key, text in clear.items()}
    return SopsSecret(where, str(meta.get("namespace", "")), str(meta["name"]), fingerprints)
