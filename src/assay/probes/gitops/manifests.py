"""The GitOps folder: every image its manifests can start, wherever it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from assay.errors import AssumptionError, ProbeError
from assay.formats.yaml_text import Document, YamlScalar, documents, text_of
from assay.probes.gitops.kustomize import FILE_NAMES, Kustomizations


KEY = re.compile(
    r"(.*[-_.])?image([-_]?(name|ref|reference|url))?|.*[a-z]Image([Nn]ame|Ref|Reference|URL)?", re.IGNORECASE
)
VALUES_KEYS = frozenset({"values", "valuesContent", "valuesObject", "helmValues"})
PARAMETER = re.compile(r"(.*[._-])?image([._-](repository|name|tag|digest|registry))?", re.IGNORECASE)
HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::\d+)?|localhost:\d+|\d+\.\d+\.\d+\.\d+(?::\d+)?"
SHAPE = re.compile(
    rf"(?<![\w./@:-])(?:{HOST})/[a-z0-9._/-]+(?::\w[\w.-]*(?:@sha256:[0-9a-fA-F]*)?|@sha256:[0-9a-fA-F]*)(?![\w/])"
)
DIGEST = re.compile(r"@sha256:([0-9a-f]{64})")
NOT_AN_IMAGE = ("", "true", "false", "null", "~")


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One place that names an image: `File path:line`, the reference, and how it is written there.

    `covered` is True if a kustomize `images` entry with a digest replaces it in every overlay that uses the
    file.
    """

    ref: str
    reference: str
    form: str
    covered: bool = False

    @property
    def repository(self) -> str:
        """Return `host/path`, without tag and digest, Docker Hub's short names written out."""
        name = self.reference.partition("@")[0]
        path, _, last = name.rpartition("/")
        whole = f"{path}/{last.partition(':')[0]}".lstrip("/")
        host = whole.partition("/")[0]
        if "/" in whole and ("." in host or ":" in host or host == "localhost"):
            return whole
        return f"docker.io/{whole}" if "/" in whole else f"docker.io/library/{whole}"

    def fault(self, allowed: Sequence[str]) -> str:
        """Return what is wrong with the reference, or nothing.

        Args:
            allowed: registries (`ghcr.io`) or parts of one (`ghcr.io/example`).

        Raises:
            AssumptionError: no registry is declared.
        """
        if not allowed:
            raise AssumptionError("the profile declares no registries", "set registries under [allowlist]")
        if self.form == "remote base":
            return f"{self.reference}: images of a remote base are not in this tree"
        if not any(f"{self.repository}/".startswith(f"{one.rstrip('/')}/") for one in allowed):
            return f"{self.reference}: {self.repository} is in no declared registry ({self.form})"
        return "" if self.covered else self._unpinned()

    def _unpinned(self) -> str:
        digest = DIGEST.search(self.reference)
        if digest is None or digest.end() != len(self.reference):
            return f"{self.reference}: not named by a whole digest ({self.form})"
        if len(set(digest.group(1))) == 1:
            return f"{self.reference}: a made-up digest ({self.form})"
        return ""


class Manifests:
    """The YAML and JSON files below one folder.

    Raises:
        ProbeError: there are none, or one cannot be read strictly (see yaml_text.documents).
    """

    def __init__(self, path: Path, overlay: Path | None = None) -> None:
        """Read nothing yet.

        Args:
            path: the folder of the manifests.
            overlay: a kustomize folder outside of it that this stack deploys, if there is one.
        """
        self.path = path
        self.overlay = overlay

    @cached_property
    def files(self) -> dict[Path, list[Document]]:
        """Return file -> its documents, by path."""
        if not self.path.is_dir():
            raise ProbeError(f"{self.path.name}: is no folder", "set gitops under [paths]")
        found = {file: self._documents(file) for folder in self._folders() for file in _yaml_files(folder)}
        if not found:
            raise ProbeError(
                f"{self.path.name}: holds no manifest",
                "set gitops under [paths] to the folder of the manifests",
            )
        return found

    def images(self) -> list[ImageUse]:
        """Return every place that names an image, by file and line, each once."""
        plan = Kustomizations({file: docs for file, docs in self.files.items() if file.name in FILE_NAMES})
        uses = [use for file, docs in self.files.items() for use in self._of_file(file, docs, plan)]
        seen: dict[tuple[str, str], ImageUse] = {}
        for use in uses:
            seen.setdefault((use.ref, use.reference), use)
        return _whole(list(seen.values()))

    def _folders(self) -> list[Path]:
        apart = self.overlay is not None and not self.overlay.resolve().is_relative_to(self.path.resolve())
        return [self.path, self.overlay] if apart and self.overlay is not None else [self.path]

    def _documents(self, file: Path) -> list[Document]:
        where = self._name(file)
        return documents(text_of(file, where), where)

    def _name(self, file: Path) -> str:
        root = self.path if file.is_relative_to(self.path) else file.parent
        return str(Path(root.name) / file.relative_to(root))

    def _of_file(self, file: Path, docs: list[Document], plan: Kustomizations) -> Iterator[ImageUse]:
        if file.name in FILE_NAMES:
            for line, reference, form in plan.uses(file):
                yield ImageUse(f"File {self._name(file)}:{line}", reference, form)
        for line, reference, form in (use for doc in docs for use in image_uses(doc)):
            one = ImageUse(f"File {self._name(file)}:{line}", reference, form)
            yield replace(one, covered=plan.pins(file, reference)) if form == "image field" else one


def _whole(uses: list[ImageUse]) -> list[ImageUse]:
    """Drop what is only a part of a longer reference found at the same place."""
    return [
        use
        for use in uses
        if not any(
            other is not use and other.ref == use.ref and use.reference in other.reference for other in uses
        )
    ]


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and (file.suffix in (".yaml", ".yml", ".json") or file.name in FILE_NAMES)
    )


def image_uses(document: Document) -> Iterator[tuple[int, str, str]]:
    """Return (line, reference, form) of everything in one document that names an image."""
    for leaf in document.leaves:
        yield from _of_leaf(leaf)
        yield from _embedded(leaf)
    for path, keys in document.mappings().items():
        yield from _parts(path, keys)
        yield from _name_and_value(keys)


def _of_leaf(leaf: YamlScalar) -> Iterator[tuple[int, str, str]]:
    value = leaf.text.strip()
    if leaf.path and isinstance(leaf.path[-1], str) and "\n" not in value and not value.startswith("ENC["):
        if leaf.path[-2:] == ("image", "reference"):
            yield leaf.line, value, "image volume"
        elif KEY.fullmatch(leaf.path[-1]) and value.lower() not in NOT_AN_IMAGE:
            yield leaf.line, value, "image field"
    for match in SHAPE.finditer(leaf.text):
        yield leaf.first + leaf.text.count("\n", 0, match.start()), match.group(), "text"


def _embedded(leaf: YamlScalar) -> Iterator[tuple[int, str, str]]:
    """Read YAML inside of a text: Helm values of an Application, a ConfigMap's file."""
    key = str(leaf.path[-1]) if leaf.path else ""
    if "\n" not in leaf.text and not leaf.text.lstrip().startswith("{"):
        return
    try:
        inner = documents(leaf.text, f"line {leaf.line}, {key}", leaf.first)
    except ProbeError:
        if key in VALUES_KEYS:
            raise
        return  # some other language; its text was searched for references already
    for document in inner:
        if any(isinstance(found.path[0], str) for found in document.leaves if found.path):
            yield from image_uses(document)


def _parts(path: tuple[str | int, ...], keys: dict[str, YamlScalar]) -> Iterator[tuple[int, str, str]]:
    """Put together what Helm values write in parts: registry, repository, tag, digest."""
    holder = str(path[-1]) if path else ""
    if "repository" not in keys or not (KEY.fullmatch(holder) or keys.keys() & {"tag", "digest"}):
        return
    if not keys["repository"].text or "://" in keys["repository"].text:
        return
    texts = {
        name: keys[name].text for name in ("registry", "repository", "tag", "digest", "sha") if name in keys
    }
    name = "/".join(part for part in (texts.get("registry"), texts["repository"]) if part)
    digest = texts.get("digest") or texts.get("sha") or ""
    tag = f":{texts['tag']}" if texts.get("tag") else ""
    pin = f"@sha256:{digest.removeprefix('sha256:')}" if digest else ""
    yield keys["repository"].line, f"{name}{tag}{pin}", "Helm values"


def _name_and_value(keys: dict[str, YamlScalar]) -> Iterator[tuple[int, str, str]]:
    """Read pairs of name and value: an operator's environment variable, a Helm parameter."""
    if "name" not in keys or "value" not in keys:
        return
    name, value = keys["name"].text, keys["value"].text
    if not PARAMETER.fullmatch(name) and not re.search(r"(^|_)IMAGE(_|$)", name):
        return
    if name.lower().endswith(("digest", "registry", "repository", "pullpolicy", "pull_policy")) or not value:
        return
    if name.lower().endswith("tag"):
        yield keys["value"].line, f"{name}={value}", "tag by parameter"
    elif value.lower() not in NOT_AN_IMAGE:
        yield keys["value"].line, value, "name and value"
