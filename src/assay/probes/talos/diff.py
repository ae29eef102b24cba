"""How two machine configurations differ, without their secrets.

Leaves are compared as keyed digests, and only paths are shown.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from assay.probes.talos.facts import Document


KEY = secrets.token_bytes(32)


def fingerprints(documents: Iterable[Document]) -> dict[str, str]:
    """Return path -> digest of every leaf.

    The digests are keyed for this process only and mean nothing outside it.

    Documents are distinguished by kind and name, not by their order. An empty list, mapping or null counts as
    absent, as Talos itself drops them when it writes a configuration.
    """
    found: dict[str, str] = {}
    for document in documents:
        found.update(_leaves(title(document), document))
    return found


def title(document: Mapping[str, Any]) -> str:
    """Return how a document of a machine configuration is called: `v1alpha1`, or its kind and name."""
    if "machine" in document or "cluster" in document:
        return "v1alpha1"
    return " ".join(str(document[key]) for key in ("kind", "name") if document.get(key)) or "document"


def differences(wanted: Iterable[Document], found: Iterable[Document]) -> list[str]:
    """Return the paths at which two configurations differ, sorted, each with what is the matter.

    Values are never shown.
    """
    mine, theirs = fingerprints(wanted), fingerprints(found)
    words = [f"{path} is missing" for path in mine.keys() - theirs.keys()]
    words += [f"{path} is not in the rendered one" for path in theirs.keys() - mine.keys()]
    words += [f"{path} differs" for path in mine.keys() & theirs.keys() if mine[path] != theirs[path]]
    return sorted(words)


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(f"{path}[{number}]", inner)
    elif value not in (None, [], ""):
        yield path, hmac.digest(KEY, json.dumps(value, sort_keys=True, default=str).encode(), "sha256").hex()
