"""Objects of controllers that ask for a Secret, as `makers.toml` lists them: in manifests and in a cluster."""

from __future__ import annotations

import pathlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from assay.formats.parsing import parsing
from assay.formats.yaml_text import STEP, Document, fits
from assay.origins.sources import MadeSecret
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import served


LIST = pathlib.Path(__file__).with_name("makers.toml")
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class SecretMaker:
    """One kind of object that asks for Secrets; see `makers.toml` for the meaning of each field."""

    kind: str
    group: str
    resource: str
    secrets: Sequence[str]
    writers: Sequence[str]
    source: str
    reason: str
    annotation: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    any_namespace: bool = False
    owned: bool = False
    types: Sequence[str] = ()

    def named_in(self, texts: Mapping[Path, str]) -> Iterator[str]:
        """Yield the names of the Secrets that an object asks for; none unless it has what it must have.

        Args:
            texts: path -> text of everything in the object.
        """
        noted = not self.annotation or ("metadata", "annotations", self.annotation) in texts
        if not noted or any(wanted not in texts_at(texts, path) for path, wanted in self.where.items()):
            return
        for pattern in self.secrets:
            own = "{name}" in pattern
            name = texts.get(("metadata", "name"), "")
            yield from [pattern.replace("{name}", name)] if own else texts_at(texts, pattern)


@cache
def secret_makers() -> tuple[SecretMaker, ...]:
    """Return every entry of `makers.toml`."""
    rows = tomllib.loads(LIST.read_text(encoding="utf-8"))["maker"]
    return tuple(SecretMaker(**row) for row in rows)


def texts_at(texts: Mapping[Path, str], pattern: str) -> list[str]:
    """Return the texts whose path fits a pattern such as `spec.tls[].secretName`."""
    steps = STEP.findall(pattern)
    return [text for path, text in texts.items() if fits(path, steps)]


def _texts(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, str(key)))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*path, number))
    elif isinstance(value, str):
        yield path, value


@parsing("objects that ask for Secrets")
def made_secrets(kube: Kube) -> list[MadeSecret]:
    """Return every Secret that an object of a known controller in the cluster asks for.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    found = []
    for maker in (one for one in secret_makers() if one.writers):
        path = served(kube.wire, maker.group).get(maker.resource)
        for item in kube.wire.items(path) if path else ():
            meta = item["metadata"]
            space = str(meta.get("namespace", ""))
            owner = f"{maker.kind} {f'{space}/' if space else ''}{meta['name']}"
            found += [
                MadeSecret(
                    "*" if maker.any_namespace else space, name, owner, tuple(maker.writers), maker.reason,
                    str(meta.get("uid", "")) if maker.owned else "", tuple(maker.types),
                )
                for name in maker.named_in(dict(_texts(item)))
            ]  # fmt: skip
    return found


def declared_by_makers(documents: Iterable[Document]) -> frozenset[str]:
    """Return the names of the Secrets that objects in manifests ask for, as globs."""
    return frozenset(
        name
        for document in documents
        for maker in secret_makers()
        if document.get("kind") == maker.kind and document.get("apiVersion").partition("/")[0] == maker.group
        for name in maker.named_in({leaf.path: leaf.text for leaf in document.leaves})
    )
