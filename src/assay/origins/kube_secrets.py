"""The Secrets of a cluster as fingerprints. No value leaves this module."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.origins.sources import SecretObject
from assay.origins.template import filled
from assay.probes.kube.client import Kube
from assay.probes.kube.paths import collection
from assay.secretscan.fingerprint import MIN_SECRET_LENGTH, Fingerprinter
from assay.secretscan.naming import UUID, is_benign, is_fact, is_public_name, is_strong


# Characters of the longest value that is looked for elsewhere.
LONGEST = 256
Templates = Mapping[tuple[str, str], Mapping[str, str]]
Item = Mapping[str, Any]


@parsing("the cluster's Secrets")
def secret_objects(kube: Kube, fingerprinter: Fingerprinter, templates: Templates) -> list[SecretObject]:
    """Return every Secret of every namespace.

    Args:
        kube: the cluster.
        fingerprinter: fingerprints the values.
        templates: (namespace, Secret) -> (key -> template) of those that are rendered.

    Raises:
        ProbeError: the list is denied or not whole, or a value is not base64.
    """
    return kube.wire.each(collection("Secret"), lambda item: _held(item, fingerprinter, templates))


def _held(item: Item, fingerprinter: Fingerprinter, templates: Templates) -> SecretObject:
    meta = item["metadata"]
    place = (str(meta["namespace"]), str(meta["name"]))
    owners = tuple((o["kind"], o["name"], o["uid"]) for o in meta.get("ownerReferences") or ())
    rendered = templates.get(place, {})
    fingerprints, pieces, private = dict[str, bytes](), dict[str, Mapping[str, bytes]](), set[bytes]()
    for key, text in (item.get("data") or {}).items():
        raw = _raw(place, key, text)
        fingerprints[key] = mark = fingerprinter.fingerprint(raw)
        if _private(key, raw):
            bare = raw.strip()
            private.add(mark if bare == raw else fingerprinter.fingerprint(bare))
        if key in rendered and (found := filled(rendered[key], raw)) is not None:
            pieces[key] = {name: fingerprinter.fingerprint(one.encode()) for name, one in found.items()}
    return SecretObject(
        *place, str(item.get("type", "")), owners, _writers(meta), fingerprints, pieces, frozenset(private),
        meta.get("annotations") or {},
    )  # fmt: skip


def _raw(place: tuple[str, str], key: str, text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise ProbeError(f"Secret {'/'.join(place)}: {key} is not base64", "ask again") from None


def _writers(meta: Item) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for entry in meta.get("managedFields") or ():
        fields, who = entry.get("fieldsV1") or {}, frozenset((str(entry.get("manager", "")),))
        for name in (*(fields.get("f:data") or ()), *(fields.get("f:stringData") or ())):
            if name.startswith("f:"):
                found[name[2:]] = found.get(name[2:], who) | who
    return found


def _private(key: str, raw: bytes) -> bool:
    """Return whether no innocent text holds this value by chance: random, and no public material."""
    if len(raw) < MIN_SECRET_LENGTH or is_fact(key):
        return False
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        return False
    if not MIN_SECRET_LENGTH <= len(text) <= LONGEST or not (is_strong(text) or UUID.fullmatch(text)):
        return False
    return not is_benign(text, key) and not is_public_name(text)
