"""What the machine configuration of a node says, in the shape of 1.13 or that of 1.14."""

from __future__ import annotations

import re
from collections.abc import Iterable

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.probes.talos.facts import UPDATE, Document


POD_ACCESS = "KubeTalosAPIAccessConfig"
ETCD_ENCRYPTION = "KubeEtcdEncryptionConfig"
SECRETS = {"secrets", "*.", "*.*"}  # how an encryption configuration names them
VERSION_TAG = re.compile(r"v\d+\.\d+\.\d+[\w.-]*")


@parsing("the configuration of a node", UPDATE)
def pod_roles(documents: Iterable[Document]) -> frozenset[str]:
    """Return the Talos roles that pods may ask for, in the shape of 1.13 or that of 1.14."""
    found: set[str] = set()
    for document in documents:
        features = (document.get("machine") or {}).get("features") or {}
        place = (
            document if document.get("kind") == POD_ACCESS else features.get("kubernetesTalosAPIAccess") or {}
        )
        found.update(map(str, place.get("allowedRoles") or ()))
    return frozenset(found)


@parsing("the encryption configuration of a node", UPDATE)
def encryption_providers(documents: Iterable[Document]) -> tuple[str, ...]:
    """Return how a control plane encrypts Secrets in etcd: its providers, the one that writes first.

    In the shape of 1.13, where Talos puts `identity` last, or that of 1.14. None: it encrypts nothing.
    """
    for document in documents:
        if document.get("kind") == ETCD_ENCRYPTION:
            entries = (document.get("config") or {}).get("resources") or ()
            meant = (one for one in entries if set(one.get("resources") or ()) & SECRETS)
            return tuple(
                str(name) for one in list(meant)[:1] for row in one.get("providers") or () for name in row
            )
        cluster = document.get("cluster") or {}
        known = tuple(name for name in ("secretbox", "aescbc") if cluster.get(f"{name}EncryptionSecret"))
        if known:
            return (*known, "identity")
    return ()


@parsing("the installer of a node", UPDATE)
def installed_version(documents: Iterable[Document], what: str) -> str:
    """Return the version of the installer's image in a configuration, in the shape of 1.13 or that of 1.14.

    Raises:
        ProbeError: it names no installer with a version as its tag.
    """
    for document in documents:
        unattended = document.get("kind") == "UnattendedInstallConfig"
        install = document.get("installer") if unattended else (document.get("machine") or {}).get("install")
        tag = str((install or {}).get("image") or "").partition("@")[0].rpartition(":")[2]
        if VERSION_TAG.fullmatch(tag):
            return tag
    raise ProbeError(f"{what}: its configuration pins no version", "set version under [talos], as v1.13.5")
