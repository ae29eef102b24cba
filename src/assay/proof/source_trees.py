"""Copies of the declared platform's files with one thing wrong in them. The originals are never touched."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.config.paths import Paths
from assay.config.trees import Trees, source_trees
from assay.errors import GuardError, ProbeError
from assay.formats.tools import run_tool
from assay.model import Named


GIT_TIMEOUT_S = 60.0
FOLDERS = ("infra", "gitops", "repositories")  # trees that may be several folders
SKIPPED = shutil.ignore_patterns(".terraform", "node_modules", ".venv", "__pycache__")
AUTHOR = ("-c", "user.name=assay", "-c", "user.email=assay@invalid", "-c", "commit.gpgsign=false")


class PlantedTrees:
    """The trees as they are now: `paths` points at the copies while an edit is open."""

    def __init__(self, paths: Paths) -> None:
        """Start from the trees of a profile."""
        self.paths = paths

    @contextmanager
    def copied(self, tree: str, number: int = 0) -> Iterator[Path]:
        """Yield a temporary copy of `tree` that the stack looks at while open.

        It is a folder, also for a single file or the list of plans; of several folders the one by its number.

        Raises:
            ProbeError: the profile does not give that tree.
        """
        before = self.paths
        with tempfile.TemporaryDirectory(prefix="assay-planted-") as folder:
            copy, value = _copy(tree, getattr(before, tree), Path(folder), number)
            changed: dict[str, Any] = {tree: value}
            self.paths = replace(before, **changed)
            try:
                yield copy
            finally:
                self.paths = before

    def _numbers(self, tree: str) -> Sequence[int]:
        """Return the numbers of the folders of a tree; one where it is a single one."""
        return range(max(len(getattr(self.paths, tree)), 1)) if tree in FOLDERS else (0,)

    @contextmanager
    def edited(self, tree: str, file: str, old: str, new: str) -> Iterator[Path]:
        """Yield the copied `file` of `tree` after replacing the first `old` by `new`.

        Raises:
            GuardError: `old` is not in the file, so nothing would be planted.
        """
        folders = getattr(self.paths, tree) if tree in FOLDERS else ()
        holding = (number for number, folder in enumerate(folders) if (folder / file).is_file())
        with self.copied(tree, next(holding, 0)) as copy:
            path = copy / file
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            if old not in text:
                raise GuardError(
                    f"{tree}/{file}: the text to replace is not there, nothing planted", "fix the violation"
                )
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
            yield path

    @contextmanager
    def added(self, tree: str, file: str, text: str) -> Iterator[Path]:
        """Yield the path of a new `file` with `text` in a copy of `tree`.

        An existing file gets `text` at its end; a new one in a list of files, of plans for example, is one of
        the list.
        """
        with self.copied(tree) as copy:
            path = copy / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as out:
                out.write(text)
            if tree == "repositories":
                git(copy, "add", "-f", "--", file)
            listed = getattr(self.paths, tree)
            if tree not in FOLDERS and isinstance(listed, tuple) and path not in listed:
                more: dict[str, Any] = {tree: (*listed, path)}
                self.paths = replace(self.paths, **more)
            yield path

    @contextmanager
    def substituted(self, tree: str, pattern: str, new: str, files: str = "*") -> Iterator[Path]:
        """Yield the copied file of `tree` in which the first match of `pattern` became `new`.

        Args:
            tree: as in `copied`.
            pattern: a regular expression, `^` and `$` at each line; the first file that matches is edited.
            new: the replacement, as `re.sub` takes it.
            files: a glob over file names.

        Raises:
            GuardError: no file matches, so nothing would be planted.
        """
        expression = re.compile(pattern, re.MULTILINE)
        for number in self._numbers(tree):
            with self.copied(tree, number) as copy:
                for path in sorted(path for path in copy.rglob(files) if path.is_file()):
                    text = path.read_bytes().decode("utf-8", "replace")
                    changed = expression.sub(new, text, count=1)
                    if changed != text:
                        path.write_text(changed, encoding="utf-8")
                        yield path
                        return
        raise GuardError(f"{tree}: no file matches {pattern}, nothing planted", "fix the violation")

    def located(self, path: Path, at: str | int = "") -> Named:
        """Return how tests name a file of a tree, with the line `at`: its number, or what it holds.

        Files of the repository are named from its root, all others from the folder that holds their tree.

        Raises:
            GuardError: no line holds that.
        """
        trees = [
            *Trees(self.paths).repositories_or_none(),
            *source_trees(self.paths.infra),
            *source_trees(self.paths.gitops),
            *source_trees([self.paths.talos] if self.paths.talos else []),
        ]
        tree = next((tree for tree in trees if path.is_relative_to(tree.path)), None)
        name = tree.name(path) if tree else path.name
        number = line_of(path.read_text(encoding="utf-8"), at) if isinstance(at, str) and at else at
        return Named(f"File {name}{f':{number}' if number else ''}")

    @contextmanager
    def committed(self, file: str, text: str, *, then_removed: bool = False) -> Iterator[Path]:
        """Yield the path of a `file` committed to a copy of the repository.

        `then_removed` leaves it in the history only.
        """
        with self.added("repositories", file, text) as path:
            copy = self.paths.repositories[0]
            git(copy, *AUTHOR, "commit", "-q", "--no-verify", "-m", "planted", "--", file)
            if then_removed:
                git(copy, *AUTHOR, "rm", "-q", "-f", "--", file)
                git(copy, *AUTHOR, "commit", "-q", "--no-verify", "-m", "planted file removed")
            yield path


def line_of(text: str, part: str) -> int:
    """Return the number, from 1, of the first line of `text` that is `part`, else of the first that holds it.

    Raises:
        GuardError: no line does.
    """
    lines = list(enumerate(text.splitlines(), 1))
    exact = (number for number, line in lines if line.strip() == part.strip())
    for number in (*exact, *(number for number, line in lines if part in line)):
        return number
    raise GuardError("no line holds what should be planted", "fix the violation")


def git(folder: Path, *args: str) -> str:
    """Return what git prints in `folder`.

    Raises:
        ProbeError: git is missing, or is not done in time.
        GuardError: it failed.
    """
    done = run_tool(["git", "-C", folder, *args], GIT_TIMEOUT_S, f"git {args[0]} in the planted copy")
    if done.code:
        raise GuardError(f"git {args[0]} failed in the planted copy ({done.code})", "run it by hand")
    return done.text


def _copy(
    tree: str, source: Path | tuple[Path, ...] | None, folder: Path, number: int
) -> tuple[Path, Path | tuple[Path, ...]]:
    """Return the folder to edit, and what the profile's entry becomes."""
    if source is None or (tree in FOLDERS and not source):
        raise ProbeError(f"the profile does not say where {tree} is", f"set {tree} under [paths]")
    if isinstance(source, tuple) and tree in FOLDERS:
        one = source_trees(source)[number]
        copy = folder / one.label  # so that its files keep their names
        copy.parent.mkdir(parents=True, exist_ok=True)
        if tree == "repositories":
            git(one.path, "clone", "-q", "--shared", str(one.path), str(copy))
        else:
            shutil.copytree(one.path, copy, symlinks=True, ignore=SKIPPED)
        return copy, (*source[:number], copy, *source[number + 1 :])
    if isinstance(source, tuple):
        return folder, tuple(Path(shutil.copy2(path, folder / path.name)) for path in source)
    if source.is_file():
        return folder, Path(shutil.copy2(source, folder / source.name))
    copy = folder / source.name
    shutil.copytree(source, copy, symlinks=True, ignore=SKIPPED)
    return copy, copy
