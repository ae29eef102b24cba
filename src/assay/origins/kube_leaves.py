"""Every text in every object of a cluster that is no Secret, and the texts beside the values of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from assay.formats.parsing import parsing
from assay.origins.levels import SecretObject
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import api_resources
from assay.secretscan.leaves import Leaf, walk


LISTED = frozenset({"list", "get"})
# Secrets are judged key by key (their annotations here); a definition describes values and holds none.
APART = frozenset({"Secret", "CustomResourceDefinition"})


@parsing("the cluster's objects")
def object_texts(kube: Kube) -> tuple[list[Leaf], int]:
    """Return every text of every object that can be listed, and the number of objects.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    known = list(api_resources(kube.wire, LISTED))
    paths = [(kind, path) for version, kind, path in known if not _apart(version, kind)]
    lists = kube.together([lambda path=path: kube.wire.items(path) for _, path in paths])  # type: ignore[misc]
    objects = [(kind, item) for (kind, _), items in zip(paths, lists, strict=True) for item in items]
    return [leaf for kind, item in objects for leaf in of_object(kind, item)], len(objects)


def _apart(version: str, kind: str) -> bool:
    """Return whether a kind is judged elsewhere; another group's Secret is not."""
    return kind in APART and not (kind == "Secret" and version != "v1")


def of_object(kind: str, item: Mapping[str, Any]) -> Iterator[Leaf]:
    """Yield every text of one object, what the server notes about its writers left out."""
    meta = item.get("metadata") or {}
    space = meta.get("namespace", "")
    ref = f"{kind} {space}/{meta.get('name')}" if space else f"{kind} {meta.get('name')}"
    yield from walk(ref, {**item, "metadata": {**meta, "managedFields": []}})


def annotated(secrets: Iterable[SecretObject]) -> Iterator[Leaf]:
    """Yield the annotations of Secrets: kubectl writes a copy of what it applied there."""
    for one in secrets:
        for key, text in one.annotations.items():
            yield Leaf(one.ref, f"metadata.annotations.{key}", key, text)
