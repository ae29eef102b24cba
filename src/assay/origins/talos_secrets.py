"""The secrets in machine configurations, and what encrypted files say of them. No value leaves from here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from assay.errors import ProbeError
from assay.origins.machines import BUNDLE, EncryptedConfig, MachineSecret
from assay.probes.talos.diff import title
from assay.probes.talos.facts import Document
from assay.secretscan.fingerprint import Fingerprinter
from assay.secretscan.leaves import Leaf, leaf_fault, walk
from assay.secretscan.machine_places import secret_place, without_indices


MAIN = "v1alpha1"


def machine_secrets(
    machine: str, documents: Iterable[Document], fingerprinter: Fingerprinter, distinctive: Collection[bytes]
) -> list[MachineSecret]:
    """Return every secret in the configuration that a machine runs.

    Args:
        machine: its name.
        documents: the configuration.
        fingerprinter: takes the fingerprints of values.
        distinctive: fingerprints of values that are secret wherever they stand.

    Raises:
        ProbeError: none at all; every machine has at least the token that it joined with.
    """
    found = [
        MachineSecret(machine, leaf.path, why, _fingerprint(leaf, fingerprinter))
        for leaf in _leaves(f"Machine {machine}", documents)
        if leaf.text and (why := _why(leaf, fingerprinter, distinctive))
    ]
    if not found:
        raise ProbeError(
            f"Machine {machine}: no secret in its configuration", "what was read is not all of it"
        )
    return found


def _why(leaf: Leaf, fingerprinter: Fingerprinter, distinctive: Collection[bytes]) -> str:
    known = secret_place(without_indices(leaf.path).split("."))
    return "a secret of machines" if known else leaf_fault(leaf, fingerprinter, distinctive)


def _leaves(ref: str, documents: Iterable[Mapping[str, Any]]) -> Iterator[Leaf]:
    for document in documents:
        called = title(document)
        yield from walk(ref, document, "" if called == MAIN else called)


def encrypted_config(
    where: str, document: Mapping[str, Any], fingerprinter: Fingerprinter
) -> EncryptedConfig | None:
    """Return what a decrypted document says of machine configurations, None where it is about something else.

    It is a secrets bundle, as `talosctl gen secrets` writes it, or a configuration or a patch of one.
    """
    if "trustdinfo" in document and "certs" in document:
        found = [(BUNDLE[leaf.path], leaf) for leaf in walk(where, document) if leaf.path in BUNDLE]
    elif _configures(document):
        found = [(without_indices(leaf.path), leaf) for leaf in _leaves(where, [document])]
    else:
        return None
    fingerprints: dict[str, set[bytes]] = {}
    for path, leaf in found:
        if leaf.text:
            fingerprints.setdefault(path, set()).add(_fingerprint(leaf, fingerprinter))
    return EncryptedConfig(where, {path: frozenset(some) for path, some in fingerprints.items()})


def _configures(document: Mapping[str, Any]) -> bool:
    """Return whether it is the main document of a configuration or one beside it, `WireguardConfig`."""
    beside = document.get("apiVersion") == MAIN and "kind" in document
    return "metadata" not in document and (beside or bool({"machine", "cluster"} & document.keys()))


def _fingerprint(leaf: Leaf, fingerprinter: Fingerprinter) -> bytes:
    return fingerprinter.fingerprint(leaf.text.encode("utf-8", "surrogateescape"))
