"""Every text in every object of a cluster that is no Secret, and what of it is secret all the same."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from assay.model import Offender
from assay.probes.kube import Kube
from assay.probes.kube_discovery import resources
from assay.probes.leak_text import of_lines
from assay.provenance.ladder import LEAST, Held
from assay.provenance.marks import Marker
from assay.provenance.suspect import suspicion


LISTED = frozenset({"list", "get"})
# Secrets are judged key by key (their annotations here); a definition describes values and holds none.
APART = frozenset({"Secret", "CustomResourceDefinition"})
TOKEN = re.compile(r"[^\s\"'`=:;,<>(){}\[\]@\\]{12,}")
SETTINGS = ".conf"
URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One text: the object it stands in, where in it, the name it goes by, the text."""

    named: str
    path: str
    name: str
    text: str = field(repr=False)


def leaves(kube: Kube) -> tuple[list[Leaf], int]:
    """Return every text of every object that can be listed, and the number of objects.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    known = list(resources(kube.wire, LISTED))
    paths = [(kind, path) for version, kind, path in known if not _apart(version, kind)]
    lists = kube.together([lambda path=path: kube.wire.items(path) for _, path in paths])  # type: ignore[misc]
    objects = [(kind, item) for (kind, _), items in zip(paths, lists, strict=True) for item in items]
    return [leaf for kind, item in objects for leaf in _of(kind, item)], len(objects)


def _apart(version: str, kind: str) -> bool:
    """Return whether a kind is judged elsewhere; another group's Secret is not."""
    return kind in APART and not (kind == "Secret" and version != "v1")


def _of(kind: str, item: Mapping[str, Any]) -> Iterator[Leaf]:
    meta = item.get("metadata") or {}
    space = meta.get("namespace", "")
    named = f"{kind} {space}/{meta.get('name')}" if space else f"{kind} {meta.get('name')}"
    yield from _walk(named, "", "", {**item, "metadata": {**meta, "managedFields": []}})


def annotated(secrets: Iterable[Held]) -> Iterator[Leaf]:
    """Yield the annotations of Secrets: kubectl writes a copy of what it applied there."""
    for one in secrets:
        for key, text in one.annotations.items():
            yield Leaf(one.named, f"metadata.annotations.{key}", key, text)


def _walk(named: str, path: str, name: str, value: object) -> Iterator[Leaf]:
    if isinstance(value, str):
        yield Leaf(named, path, name, value)
    elif isinstance(value, Mapping):
        called = str(value["name"]) if set(value) == {"name", "value"} else ""
        for key, inner in value.items():
            yield from _walk(named, f"{path}.{key}" if path else str(key), called or str(key), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            before = value[number - 1] if number else ""
            yield from _walk(named, f"{path}[{number}]", _option(before, inner) or name, inner)


def _option(before: object, text: object) -> str:
    """Return the option that `text` is the value of, where the two are arguments of their own."""
    if not (isinstance(before, str) and isinstance(text, str)):
        return ""
    given = before.startswith("-") and "=" not in before and not text.startswith("-")
    return before.lstrip("-") if given else ""


def fault(leaf: Leaf) -> str:
    """Return why a text is a secret in clear, empty where it is none; what it says is not shown."""
    why = suspicion(leaf.name, leaf.text)
    if not why and any(sign in leaf.text for sign in ("\n", "=", ": ", "{")):
        why = next((rule for _, rule in of_lines(leaf.text, PurePath(leaf.name).suffix or SETTINGS)), "")
    return why


def copied(leaf: Leaf, marker: Marker, private: Collection[bytes]) -> bool:
    """Return whether a text holds the value of a Secret, in clear or in base64."""
    words = [word for word in _words(leaf.text) if len(word) >= LEAST]
    return any(marker.mark(word.encode("utf-8", "surrogateescape")) in private
               or marker.mark(_decoded(word)) in private for word in words)  # fmt: skip


def _words(text: str) -> set[str]:
    """Return what in a text may be a whole value: words, lines, what stands behind a sign, all of it."""
    lines = [line.strip() for line in text.splitlines()]
    sides = [line.partition(sign)[2].strip(" \"',") for line in lines for sign in ("=", ": ") if sign in line]
    return {text.strip(), *lines, *sides, *TOKEN.findall(text)}


def _decoded(word: str) -> bytes:
    plain = word.rstrip("=").translate(URL_SAFE)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).strip()
    except (binascii.Error, ValueError):
        return b""


def faults(found: list[Leaf], marker: Marker, private: Collection[bytes]) -> list[Offender]:
    """Return every place that holds a secret, by object and path, each place once."""
    wrong = []
    for leaf in found:
        why = fault(leaf) or ("a copy of a Secret's value" if copied(leaf, marker, private) else "")
        if why:
            wrong.append(Offender(leaf.named, f"{leaf.path}: {why}"))
    return wrong
