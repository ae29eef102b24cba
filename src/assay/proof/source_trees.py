"""Copies of the declared platform's files with one thing wrong in them. The originals are never touched."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.config.profile import Paths
from assay.errors import GuardError, ProbeError
from assay.formats.tools import run_tool


GIT_TIMEOUT_S = 60.0
SKIPPED = shutil.ignore_patterns(".terraform", "node_modules", ".venv", "__pycache__")
AUTHOR = ("-c", "user.name=assay", "-c", "user.email=assay@invalid", "-c", "commit.gpgsign=false")


class PlantedTrees:
    """The trees as they are now: `paths` points at the copies while an edit is open."""

    def __init__(self, paths: Paths) -> None:
        """Start from the trees of a profile."""
        self.paths = paths

    @contextmanager
    def copied(self, tree: str) -> Iterator[Path]:
        """Yield a temporary copy of `tree` that the stack looks at while open.

        It is a folder, also for a single file or the list of plans.

        Raises:
            ProbeError: the profile does not give that tree.
        """
        before = self.paths
        with tempfile.TemporaryDirectory(prefix="assay-planted-") as folder:
            copy, value = _copy(tree, getattr(before, tree), Path(folder))
            changed: dict[str, Any] = {tree: value}
            self.paths = replace(before, **changed)
            try:
                yield copy
            finally:
                self.paths = before

    @contextmanager
    def edited(self, tree: str, file: str, old: str, new: str) -> Iterator[Path]:
        """Yield the copied `file` of `tree` after replacing the first `old` by `new`.

        Raises:
            GuardError: `old` is not in the file, so nothing would be planted.
        """
        with self.copied(tree) as copy:
            path = copy / file
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            if old not in text:
                raise GuardError(
                    f"{tree}/{file}: the text to replace is not there, nothing planted", "mend the violation"
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
            if tree == "repository":
                git(copy, "add", "-f", "--", file)
            listed = getattr(self.paths, tree)
            if isinstance(listed, tuple) and path not in listed:
                more: dict[str, Any] = {tree: (*listed, path)}
                self.paths = replace(self.paths, **more)
            yield path

    @contextmanager
    def removed(self, tree: str, file: str) -> Iterator[Path]:
        """Yield the path of a `file` that is gone from a copy of `tree`."""
        with self.copied(tree) as copy:
            path = copy / file
            if not path.is_file():
                raise GuardError(f"{tree}/{file}: is not there, nothing planted", "mend the violation")
            path.unlink()
            yield path

    @contextmanager
    def committed(self, file: str, text: str, *, then_removed: bool = False) -> Iterator[Path]:
        """Yield the path of a `file` committed to a copy of the repository.

        `then_removed` leaves it in the history only.
        """
        with self.added("repository", file, text) as path:
            copy = self.paths.repository or path.parent
            git(copy, *AUTHOR, "commit", "-q", "--no-verify", "-m", "planted", "--", file)
            if then_removed:
                git(copy, *AUTHOR, "rm", "-q", "-f", "--", file)
                git(copy, *AUTHOR, "commit", "-q", "--no-verify", "-m", "planted file removed")
            yield path


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
    tree: str, source: Path | tuple[Path, ...] | None, folder: Path
) -> tuple[Path, Path | tuple[Path, ...]]:
    """Return the folder to edit, and what the profile's entry becomes."""
    if source is None:
        raise ProbeError(f"the profile does not say where {tree} is", f"set {tree} under [paths]")
    if isinstance(source, tuple):
        return folder, tuple(Path(shutil.copy2(path, folder / path.name)) for path in source)
    if tree == "repository":
        return _clone(source, folder / "repository")
    if source.is_file():
        return folder, Path(shutil.copy2(source, folder / source.name))
    copy = folder / source.name
    shutil.copytree(source, copy, symlinks=True, ignore=SKIPPED)
    return copy, copy


def _clone(source: Path, copy: Path) -> tuple[Path, Path]:
    git(source, "clone", "-q", "--shared", str(source), str(copy))
    return copy, copy
