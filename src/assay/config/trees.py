"""The files of the declared platform, by what they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay.config.paths import Paths
from assay.config.platform import Exemption
from assay.errors import ProbeError
from assay.gaps import Gaps


BACKUPS_DOC = "backups-and-restore.md"
LONGEST_LABEL = 4  # folders of a path that tell two trees of one name apart


@dataclass(frozen=True, slots=True)
class SourceTree:
    """One folder of the platform's sources.

    Attributes:
        path: where it is.
        label: what the names of its files begin with: the folder's name, and of those above it as many as
            tell it from another tree; empty for the only repository.
        excluded: which of its files are not judged, and why.
    """

    path: Path
    label: str
    excluded: tuple[Exemption, ...] = ()

    def name(self, file: Path) -> str:
        """Return what a file is called in messages: `gitops/apps/web.yaml`."""
        return str(Path(self.label) / file.relative_to(self.path))

    def ref(self, file: Path, line: int = 0) -> str:
        """Return `File gitops/apps/web.yaml`, with the line where one is given."""
        return f"File {self.name(file)}{f':{line}' if line else ''}"

    def exclusion(self, name: str) -> Exemption | None:
        """Return why a file of this name is not judged, None where it is."""
        return next((one for one in self.excluded if one.covers(name)), None)

    def files(self, gaps: Gaps) -> Iterator[Path]:
        """Yield the files to judge, by path; `gaps` notes the excluded ones, and a missing folder."""
        with gaps.part(f"Folder {self.label or self.path.name}"):
            need_folder(self.path)
        for file in sorted(file for file in self.path.rglob("*") if file.is_file()):
            if one := self.exclusion(self.name(file)):
                gaps.excluded[self.name(file)] = one.reason
            else:
                yield file


def need_folder(path: Path) -> None:
    """Refuse what is not a folder.

    Raises:
        ProbeError: it is not.
    """
    if not path.is_dir():
        raise ProbeError(f"{path.name}: is not a folder", "check it under [paths] and [sops] of the profile")


def source_trees(paths: Sequence[Path], excluded: tuple[Exemption, ...] = ()) -> tuple[SourceTree, ...]:
    """Return the trees of several folders, labelled by as much of each path as tells them apart."""
    for length in range(1, LONGEST_LABEL + 1):
        labels = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(labels)) == len(labels):
            break
    else:
        labels = [str(path).lstrip("/") for path in paths]
    return tuple(SourceTree(path, label, excluded) for path, label in zip(paths, labels, strict=True))


def chart_of(file: Path, charts: Collection[Path]) -> Path | None:
    """Return the folder of the Helm chart that a file is a template of, None where it is none."""
    for folder in file.parents:
        if folder.name == "templates" and folder.parent in charts:
            return folder.parent
    return None


@dataclass(frozen=True, slots=True)
class Trees:
    """The files of the declared platform.

    Asking for one that the profile does not give, or that is not there, is an ERROR.
    """

    declared: Paths

    @property
    def infra(self) -> tuple[SourceTree, ...]:
        """Return the folders of the Terraform sources, at least one."""
        return self._trees("infra", self.declared.infra)

    @property
    def talos(self) -> Path:
        """Return the folder of the machine configuration templates and patches."""
        return self._there("talos", self.declared.talos)

    @property
    def gitops(self) -> tuple[SourceTree, ...]:
        """Return the folders of the manifests, at least one."""
        return self._trees("gitops", self.declared.gitops)

    @property
    def overlay(self) -> Path:
        """Return the kustomize folder that this stack deploys."""
        return self._there("overlay", self.declared.overlay)

    @property
    def runbook(self) -> Path:
        """Return the runbook, a Markdown file."""
        return self._there("runbook", self.declared.runbook)

    @property
    def repositories(self) -> tuple[SourceTree, ...]:
        """Return the work trees of the Git repositories that hold the platform, at least one.

        Files of the only one go by their path in it.
        """
        self._trees("repositories", self.declared.repositories)
        return self.repositories_or_none()

    def repositories_or_none(self) -> tuple[SourceTree, ...]:
        """Return the same without looking whether they are there; none where the profile names none."""
        found = source_trees(self.declared.repositories, self.declared.excluded)
        return (replace(found[0], label=""),) if len(found) == 1 else found

    @property
    def backups_doc(self) -> Path:
        """Return the document that says how backups are made and kept, a Markdown file."""
        beside = self.declared.runbook.with_name(BACKUPS_DOC) if self.declared.runbook else None
        return self._there("backups_doc", self.declared.backups_doc or beside)

    @property
    def machineconfigs(self) -> Path:
        """Return the folder with one rendered `<node>.yaml` per node."""
        return self._there("machineconfigs", self.declared.machineconfigs)

    @property
    def plan(self) -> tuple[Path, ...]:
        """Return the plan files, as `terraform show -json` writes them; at least one."""
        if not self.declared.plan:
            raise ProbeError("the profile names no plan file", "set plan under [paths]")
        return tuple(self._there("plan", path) for path in self.declared.plan)

    @property
    def state(self) -> tuple[Path, ...]:
        """Return the state files, as Terraform pulls or shows them; none where the profile names none."""
        return tuple(self._there("state", path) for path in self.declared.state)

    def in_gitops(self, name: str) -> Path:
        """Return the file of this path below one of the folders of the manifests.

        Raises:
            ProbeError: none of them holds it.
        """
        for tree in self.gitops:
            if (tree.path / name).is_file():
                return tree.path / name
        raise ProbeError(f"{name}: is in no folder of the manifests", "check gitops under [paths]")

    def _trees(self, key: str, paths: tuple[Path, ...]) -> tuple[SourceTree, ...]:
        if not paths:
            raise ProbeError(f"the profile does not say where {key} is", f"set {key} under [paths]")
        if not any(path.is_dir() for path in paths):
            need_folder(self._there(key, paths[0]))
        return source_trees(paths, self.declared.excluded)

    def _there(self, key: str, path: Path | None) -> Path:
        if path is None:
            raise ProbeError(f"the profile does not say where {key} is", f"set {key} under [paths]")
        if not path.exists():
            raise ProbeError(f"{key}: {path.name} does not exist", f"check {key} under [paths]")
        return path
