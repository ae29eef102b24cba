"""The GitOps folders: every image their manifests can start, wherever it is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from assay.config.trees import SourceTree, chart_of, source_trees
from assay.errors import AssumptionError, ProbeError
from assay.formats.yaml_text import Document, YamlScalar, documents, text_of
from assay.gaps import Gaps
from assay.probes.gitops.git import remotes, repository_name
from assay.probes.gitops.kustomize import FILE_NAMES, Kustomizations
from assay.probes.gitops.unrendered import UnrenderedSource, unrendered_in


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
SUFFIXES = (".yaml", ".yml", ".json")
# A number or a size, such as that of a picture.
AMOUNT = re.compile(r"[\d.,]+\s?[A-Za-z%]{0,3}")
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
    """The YAML and JSON files of the GitOps folders.

    A file that cannot be read strictly (see yaml_text.documents), and a template of a Helm chart, is noted in
    `gaps` and left out.
    """

    def __init__(
        self, trees: Sequence[SourceTree], overlay: Path | None = None, rendered: Sequence[Path] = ()
    ) -> None:
        """Read nothing yet.

        Args:
            trees: the folders of the manifests.
            overlay: a kustomize folder outside of them that this stack deploys, if there is one.
            rendered: folders of what charts and remote sources come to, each in a file or folder of its name.
        """
        self.trees = tuple(trees)
        self.gaps = Gaps()
        self._overlay, self._rendered = overlay, tuple(rendered)
        self._named: dict[Path, str] = {}

    @cached_property
    def files(self) -> dict[Path, list[Document]]:
        """Return file -> its documents, by path, of the GitOps folders.

        Raises:
            ProbeError: there are none.
        """
        found = {file: docs for tree in self.trees for file, docs in self._read(tree)}
        if not found:
            names = ", ".join(tree.label for tree in self.trees)
            remedy = "set gitops under [paths] to the folders of the manifests; check [[paths.excluded]]"
            raise self.gaps.nothing_left(names, remedy)
        return found

    @cached_property
    def rendered(self) -> dict[Path, list[Document]]:
        """Return file -> its documents of the rendered manifests."""
        return {
            file: docs
            for tree in source_trees(self._rendered, self.trees[0].excluded)
            for file, docs in self._read(tree)
        }

    def ref(self, file: Path, line: int) -> str:
        """Return `File gitops/apps/web.yaml:3` of a file that was read."""
        return f"File {self._named[file]}:{line}"

    def images(self) -> list[ImageUse]:
        """Return every place that names an image, by file and line, each once; the overlay's too."""
        files = {**self.files, **self._of_overlay, **self.rendered}
        plan = Kustomizations({file: docs for file, docs in files.items() if file.name in FILE_NAMES})
        uses = [use for file, docs in files.items() for use in self._of_file(file, docs, plan)]
        seen: dict[tuple[str, str], ImageUse] = {}
        for use in uses:
            seen.setdefault((use.ref, use.reference), use)
        return _whole(list(seen.values()))

    def unrendered(self) -> list[UnrenderedSource]:
        """Return what the manifests deploy without its images being written here or rendered.

        Charts, remote bases, sources in other repositories or registries, and objects whose controller picks
        the image.
        """
        known = {file.stem for file in self.rendered}
        known |= {part for file in self.rendered for part in self._named[file].split("/")}
        found = [
            UnrenderedSource(self.ref(file, line), name, why)
            for file, docs in {**self.files, **self._of_overlay}.items()
            for doc in docs
            for line, name, why in unrendered_in(doc, self._is_here)
        ]
        charts = {owner: name for name, owner in self.gaps.not_rendered.items()}
        found += [
            UnrenderedSource(f"File {owner}", owner.rpartition("/")[2], "a chart's templates")
            for owner in sorted(charts)
        ]
        return [one for one in found if one.name not in known]

    @cached_property
    def _of_overlay(self) -> dict[Path, list[Document]]:
        if self._overlay is None:
            return {}
        inside = any(self._overlay.resolve().is_relative_to(tree.path.resolve()) for tree in self.trees)
        (tree,) = source_trees([self._overlay], self.trees[0].excluded)
        return {} if inside else dict(self._read(tree))

    def _is_here(self, path: str, repository: str) -> bool:
        """Return whether a folder of a repository is one of those of the manifests, or within one."""
        return any(
            holds(tree.path.resolve(), path, repository, self._remotes[tree.path]) for tree in self.trees
        )

    @cached_property
    def _remotes(self) -> dict[Path, frozenset[str]]:
        """Return the folder of each tree -> the repositories that it is a clone of; none without Git."""
        return {tree.path: remotes(tree.path) for tree in self.trees}

    def _read(self, tree: SourceTree) -> Iterator[tuple[Path, list[Document]]]:
        """Yield the files of one folder that can be read; what is left out, and why, is noted."""
        charts = {file.parent for file in tree.path.rglob("Chart.yaml")}
        for file in tree.files(self.gaps):
            if file.suffix not in SUFFIXES and file.name not in FILE_NAMES:
                continue
            name = self._named[file] = tree.name(file)
            if chart := chart_of(file, charts):
                self.gaps.not_rendered[name] = tree.name(chart)
                continue
            with self.gaps.part(f"File {name}"):
                yield file, documents(text_of(file, name), name)

    def _of_file(self, file: Path, docs: list[Document], plan: Kustomizations) -> Iterator[ImageUse]:
        if file.name in FILE_NAMES:
            for line, reference in plan.images(file):
                yield ImageUse(self.ref(file, line), reference, "kustomize images")
        for line, reference, form in (use for doc in docs for use in image_uses(doc)):
            one = ImageUse(self.ref(file, line), reference, form)
            yield replace(one, covered=plan.pins(file, reference)) if form == "image field" else one


def holds(tree: Path, path: str, repository: str, known: Collection[str]) -> bool:
    """Return whether `path` in `repository` is `tree`, lies in it, or holds it.

    Args:
        tree: a folder that is read.
        path: as a manifest names a folder of a repository.
        repository: its address; empty: the manifest does not say.
        known: the repositories that the tree is a clone of, as `repository_name` calls them.
    """
    if known and repository and repository_name(repository) not in known:
        return False
    for root in (tree, *tree.parents):
        wanted = (root / path.lstrip("./")).resolve()
        if wanted.is_dir() and (wanted.is_relative_to(tree) or tree.is_relative_to(wanted)):
            return True
        if (root / ".git").exists():
            return False
    return False


def _whole(uses: list[ImageUse]) -> list[ImageUse]:
    """Drop what is only a part of a longer reference found at the same place."""
    return [
        use
        for use in uses
        if not any(
            other is not use and other.ref == use.ref and use.reference in other.reference for other in uses
        )
    ]


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
    elif value.lower() not in NOT_AN_IMAGE and not AMOUNT.fullmatch(value):
        yield keys["value"].line, value, "name and value"
