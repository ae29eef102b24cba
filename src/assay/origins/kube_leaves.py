"""Every text in every object of a cluster that is not a Secret, and the texts beside the values of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.formats.parsing import parsing
from assay.model import Offender
from assay.origins.sources import SecretObject
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import api_resources
from assay.secretscan.leaves import Leaf, walk


LISTED = frozenset({"list", "get"})
# Secrets are judged key by key (their annotations here); a definition describes values and holds none.
APART = frozenset({"Secret", "CustomResourceDefinition"})


@dataclass(frozen=True, slots=True)
class ObjectTexts:
    """One object and its texts; `closed` says of a record that it does not open, so nobody knows its texts."""

    ref: str
    texts: tuple[Leaf, ...] = field(repr=False)
    closed: tuple[Offender, ...] = ()


@parsing("the cluster's objects")
def object_texts(kube: Kube) -> list[ObjectTexts]:
    """Return every object that can be listed, with its texts.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    known = list(api_resources(kube.wire, LISTED))
    paths = [(kind, path) for version, kind, path in known if not _apart(version, kind)]
    lists = kube.together([lambda path=path: kube.wire.items(path) for _, path in paths])  # type: ignore[misc]
    return [_of_object(kind, item) for (kind, _), items in zip(paths, lists, strict=True) for item in items]


def _of_object(kind: str, item: Mapping[str, Any]) -> ObjectTexts:
    texts = tuple(of_object(kind, item))
    return ObjectTexts(_ref(kind, item), texts)


def _apart(version: str, kind: str) -> bool:
    """Return whether a kind is judged elsewhere; another group's Secret is not."""
    return kind in APART and not (kind == "Secret" and version != "v1")


def of_object(kind: str, item: Mapping[str, Any]) -> Iterator[Leaf]:
    """Yield every text of one object, what the server notes about its writers left out."""
    meta = item.get("metadata") or {}
    yield from walk(_ref(kind, item), {**item, "metadata": {**meta, "managedFields": []}})


def _ref(kind: str, item: Mapping[str, Any]) -> str:
    meta = item.get("metadata") or {}
    space = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{kind} {space}{meta.get('name')}"


def annotation_texts(secrets: Iterable[SecretObject]) -> list[ObjectTexts]:
    """Return the annotations of Secrets: kubectl writes a copy of what it applied there."""
    return [
        ObjectTexts(
            one.ref,
            tuple(
                Leaf(one.ref, f"metadata.annotations.{key}", key, text)
                for key, text in one.annotations.items()
            ),
        )
        for one in secrets
        if one.annotations
    ]
