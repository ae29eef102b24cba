"""The texts of an object, a record or a configuration one by one, and what of them is secret."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from assay.model import Offender
from assay.secretscan.fingerprint import MIN_SECRET_LENGTH, Fingerprinter
from assay.secretscan.machine_places import without_indices
from assay.secretscan.naming import is_sealed, names_something
from assay.secretscan.suspect import MAX_ENCODINGS, layers
from assay.secretscan.text import looks_secret


TOKEN = re.compile(r"[^\s\"'`=:;,<>(){}\[\]@\\]{12,}")
PublicPlaces = frozenset[tuple[str, str]]
URL_SAFE = str.maketrans("-_", "+/")
# Where a SealedSecret keeps what only its controller can open.
SEALED = "spec.encryptedData."


@dataclass(frozen=True, slots=True)
class Leaf:
    """One text: the object it stands in, where in it, the name it goes by, the text."""

    ref: str
    path: str
    name: str
    text: str = field(repr=False)


def walk(ref: str, value: object, path: str = "", name: str = "") -> Iterator[Leaf]:
    """Yield every text and number in a structure.

    Args:
        ref: the object it belongs to.
        value: mappings, lists, texts, numbers.
        path: where in the object it stands.
        name: what it goes by.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield Leaf(ref, path, name, str(value))
    elif isinstance(value, Mapping):
        parent = path.rpartition(".")[2]
        for key, inner in value.items():
            called = str(value.get("name") or value.get("key") or "value") if key == "value" else str(key)
            called = "" if names_something(str(key), value, parent) else called
            yield from walk(ref, inner, f"{path}.{key}" if path else str(key), called)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            before = value[number - 1] if number else ""
            yield from walk(ref, inner, f"{path}[{number}]", _option(before, inner) or name)


def _option(before: object, text: object) -> str:
    """Return the option that `text` is the value of, where the two are arguments of their own."""
    if not (isinstance(before, str) and isinstance(text, str)):
        return ""
    given = before.startswith("-") and "=" not in before and not text.startswith("-")
    return before.lstrip("-") if given else ""


def holds_copy(leaf: Leaf, fingerprinter: Fingerprinter, distinctive: Collection[bytes]) -> bool:
    """Return whether a text holds the value of a Secret, in clear, encoded or compressed."""
    words = [word for text in _within(leaf.text) for word in _words(text) if len(word) >= MIN_SECRET_LENGTH]
    return any(fingerprinter.fingerprint(word.encode("utf-8", "surrogateescape")) in distinctive
               or fingerprinter.fingerprint(_decoded(word)) in distinctive for word in words)  # fmt: skip


def _within(text: str, depth: int = 0) -> Iterator[str]:
    """Yield a text and every text that lies within it in another encoding."""
    yield text
    for _, inner in layers(text) if depth < MAX_ENCODINGS else ():
        yield from _within(inner, depth + 1)


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


def leaf_fault(
    leaf: Leaf,
    fingerprinter: Fingerprinter,
    distinctive: Collection[bytes],
    public: PublicPlaces = frozenset(),
) -> str:
    """Return why a text holds a secret or a copy of one, empty where it holds none.

    What is `public`, by kind and path without list indices, holds no secret of its own; a copy of one it may hold.
    """
    kind = leaf.ref.partition(" ")[0]
    shown = (kind, without_indices(leaf.path)) in public
    sealed = kind == "SealedSecret" and leaf.path.startswith(SEALED) and is_sealed(leaf.text)
    why = "" if shown or sealed else looks_secret(leaf.name, leaf.text)
    return why or ("a copy of a Secret's value" if holds_copy(leaf, fingerprinter, distinctive) else "")


def leaf_faults(
    found: Iterable[Leaf],
    fingerprinter: Fingerprinter,
    distinctive: Collection[bytes],
    public: PublicPlaces = frozenset(),
) -> list[Offender]:
    """Return every place that holds a secret, by object and path, each place once."""
    judged = ((leaf, leaf_fault(leaf, fingerprinter, distinctive, public)) for leaf in found)
    return [Offender(leaf.ref, f"{leaf.path}: {why}") for leaf, why in judged if why]
