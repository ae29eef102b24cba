"""Refuse documents on their way into the cluster that hold a name which the platform does not have.

Two nets: where a name's place is known it must be one of the platform's, and no word that only the reference
platform uses may stand anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import yaml

from lab.names import DEFAULT, Names, load
from lab.names.places import places


GENERATED = re.compile(r"-[0-9a-z]{10}$")  # what kustomize adds to the name of a ConfigMap that it makes
UPSTREAM = "CustomResourceDefinition"  # its text is the controller's
CONTENT = ("data", "stringData")  # of a Secret: not looked at


class StrangeNameError(RuntimeError):
    """A document holds a name that the platform does not have; the message says where."""


def check(documents: Iterable[dict[str, Any]], names: Names) -> None:
    """Check all names in `documents` against `names`.

    Raises:
        StrangeNameError: the first that is not the platform's.
    """
    for document in documents:
        if problem := _problem(document, names):
            raise StrangeNameError(f"{document['kind']} {document['metadata']['name']}: {problem}")


def _problem(document: dict[str, Any], names: Names) -> str:
    shown = {k: v for k, v in document.items() if document["kind"] != "Secret" or k not in CONTENT}
    root = yaml.compose(yaml.safe_dump(shown), Loader=yaml.SafeLoader)
    for place, node in places(root) if root else ():
        kind, name = place.kind(names), node.value
        if kind and not names.has(kind, name) and not names.has(kind, GENERATED.sub("", name)):
            return f"{'.'.join(place.path)}: no {kind} is called {name}"
    words = [] if document["kind"] == UPSTREAM else leftovers("\n".join(_texts(shown)), names)
    return f"{words[0]} is a name of the reference platform" if words else ""


def _texts(value: object) -> Iterator[str]:
    """Yield every key and every text in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (f"{key}:", *_texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def leftovers(text: str, names: Names) -> list[str]:
    """Return the reference names in `text` that `names` replaces and that mean nothing else; sorted."""
    if names.title == DEFAULT:
        return []
    for harmless in names.kept["Text"]:
        text = text.replace(harmless, " ")
    return sorted(set(_reference(names.title).findall(text)))


@cache
def _reference(title: str) -> re.Pattern[str]:
    names = load(title)
    words = {old for table in names.tables.values() for old, new in table.items() if old != new}
    known = sorted(words - set(names.kept["Word"]), key=len, reverse=True)
    return re.compile(rf"(?<![A-Za-z0-9-])(?:{'|'.join(map(re.escape, known))})(?![A-Za-z0-9-])")
