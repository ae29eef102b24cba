"""What manifests deploy without its images being written in them, as `unrendered.toml` lists it."""

from __future__ import annotations

import pathlib
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from assay.formats.yaml_text import Document, leaves_at
from assay.probes.gitops.kustomize import LISTS


LIST = pathlib.Path(__file__).with_name("unrendered.toml")
REMOTE = ("git@", "github.com/", "gitlab.com/", "bitbucket.org/")
KUSTOMIZE = "kustomize.config.k8s.io"


@dataclass(frozen=True, slots=True)
class UnrenderedSource:
    """One place that deploys what is not in the manifests: `File path:line`, its name, and what it is.

    Rendered manifests for it lie in a file or a folder of that name.
    """

    ref: str
    name: str
    what: str

    @property
    def why(self) -> str:
        """Return why it is an offender."""
        return f"{self.name}: {self.what}, not rendered, so not judged"


@cache
def _lists() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(LIST.read_text(encoding="utf-8"))


def unrendered_in(document: Document, is_here: Callable[[str, str], bool]) -> Iterator[tuple[int, str, str]]:
    """Yield (line, name, what it is) of everything in a document that is fetched or picked elsewhere.

    Args:
        document: a manifest.
        is_here: whether a folder of a repository (its address; empty: not said) is among those that are read.
    """
    kind, group = document.get("kind"), document.get("apiVersion").partition("/")[0]
    name = document.get("metadata", "name")
    for entry in _lists()["fetched"]:
        if (kind or "Kustomization", group or KUSTOMIZE) != (entry["kind"], entry["group"]):
            continue
        for path in entry["reads"]:
            for leaf in leaves_at(document, path):
                repository = document.get(*leaf.path[:-1], "repoURL")
                if not (entry.get("local") and is_here(leaf.text, repository)):
                    yield leaf.line, name or leaf.text, entry["why"]
    for entry in _lists()["operated"]:
        named = any(leaf.text for path in entry["names"] for leaf in leaves_at(document, path))
        if (kind, group) == (entry["kind"], entry["group"]) and not named:
            yield document.line, name, f"a {kind} whose operator picks the image ({entry['names'][0]})"
    if group in ("", KUSTOMIZE) and (kind in ("Kustomization", "Component") or not kind):
        yield from _remote_bases(document)


def _remote_bases(document: Document) -> Iterator[tuple[int, str, str]]:
    for leaf in document.leaves:
        listed = len(leaf.path) == 2 and leaf.path[0] in LISTS
        if listed and ("://" in leaf.text or leaf.text.startswith(REMOTE)):
            yield leaf.line, leaf.text, "a remote base"
