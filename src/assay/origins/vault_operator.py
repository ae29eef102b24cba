"""What the Vault Secrets Operator's VaultStaticSecrets say about where the keys of their Secrets come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.formats.parsing import parsing
from assay.origins.external_secrets import seconds
from assay.origins.sources import OWNER, ExternalSecretSpec
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import served


GROUP, RESOURCE = "secrets.hashicorp.com", "vaultstaticsecrets"
WRITER = "vault-secrets-operator"
RAW = "_raw"
UNJUDGED = "a transformation of a VaultStaticSecret is not judged here"
Item = Mapping[str, Any]


@parsing("the cluster's VaultStaticSecrets")
def vault_static_secrets(kube: Kube) -> list[ExternalSecretSpec]:
    """Return every VaultStaticSecret; none where the API knows no such thing.

    Raises:
        ProbeError: the list is denied or not whole.
    """
    path = served(kube.wire, GROUP).get(RESOURCE)
    return [_spec(one) for one in (kube.wire.items(path) if path else ())]


def _spec(item: Item) -> ExternalSecretSpec:
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    destination = spec.get("destination") or {}
    transformed = destination.get("transformation") or {}
    kept_raw = not transformed.get("excludeRaw")
    written = status.get("secretMAC") or status.get("lastGeneration")
    version = "" if spec.get("type") == "kv-v2" else f"it reads {spec.get('type')}, not KV version 2"
    return ExternalSecretSpec(
        space=str(meta["namespace"]),
        name=str(meta["name"]),
        uid=str(meta["uid"]),
        target=str(destination.get("name") or ""),
        provider="vault",
        fault=version or ("" if written else "the operator has not written it"),
        extracts=(f"{spec.get('mount')}/{spec.get('path')}",),
        unlisted=UNJUDGED if set(transformed) - {"excludeRaw"} else "",
        policy=OWNER if destination.get("create") else "Merge",
        interval=seconds(str(spec.get("refreshAfter") or "")),
        kind="VaultStaticSecret",
        writer=WRITER,
        whole=frozenset({RAW}) if kept_raw else frozenset(),
        restarts=tuple(
            f"{one['kind']} {meta['namespace']}/{one['name']}"
            for one in spec.get("rolloutRestartTargets") or ()
        ),
    )
