"""Render the reference platform's sources with other names, as a Git repository of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lab.names import DEFAULT, FOLDER, Names, text
from lab.names.manifests import Source
from lab.names.paths import moved


TREES = ("infra", "talos", "gitops")
FILES = ("docs/runbook.md", "docs/backups-and-restore.md")
STRUCTURED = {".yaml", ".yml", ".json"}
# Not the platform: notes on the sources, hand-made plans for tests, the suite's own nightly Job.
LEFT_OUT = ("README.md", "infra/testdata/", "gitops/nightly/")
OWN = FOLDER / "repository"
AUTHOR = ("-c", "user.name=lab", "-c", "user.email=lab@localhost")


def sources(project: Path) -> Iterator[str]:
    """Yield the paths of the platform's sources in the project, sorted within each tree."""
    found = [file for tree in TREES for file in sorted((project / tree).rglob("*")) if file.is_file()]
    for file in (str(one.relative_to(project)) for one in found):
        if not file.endswith(LEFT_OUT[0]) and not file.startswith(LEFT_OUT[1:]):
            yield file
    yield from FILES


def rendered(project: Path, names: Names) -> Mapping[str, str]:
    """Return the text of every file of the platform by its path in the tree with these names.

    Raises:
        PhraseError: a phrase does not occur in its file.
        UnknownNameError: a name that is in no table.
    """
    return {moved(file, names): translated(project, file, names) for file in sources(project)}


def translated(project: Path, file: str, names: Names, strict: bool = True) -> str:
    """Return the text of one file of the project with these names.

    Args:
        project: where the reference platform's sources are.
        file: its path in the project.
        names: the names to write.
        strict: whether every phrase of the file must occur in it.

    Raises:
        PhraseError: a phrase of the file does not occur in it.
        UnknownNameError: a name that is in no table.
    """
    body, seen = (project / file).read_text(encoding="utf-8"), set[str]()
    if names.title == DEFAULT:
        return body
    if Path(file).suffix in STRUCTURED:
        new = Source(body, file, names, seen).renamed()
    else:
        new = text.renamed(body, names, file, seen)
    if strict:
        text.complain(file, seen)
    return new


def write(
    project: Path, folder: Path, names: Names, addressed: Callable[[str], str] = lambda text: text
) -> None:
    """Write the tree into `folder`, in place of what is there, and commit it.

    Args:
        project: where the reference platform's sources are.
        folder: of the new repository.
        names: the names to write.
        addressed: puts the lab's own addresses into a text.

    Raises:
        RuntimeError: git failed.
    """
    files = rendered(project, names)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(OWN, folder)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(addressed(content), encoding="utf-8")
        target.chmod(0o755 if content.startswith("#!") else 0o644)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all")
    _git(folder, *AUTHOR, "commit", "--quiet", "--message=Platform")


def _git(folder: Path, *words: str) -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    argv = ["git", "-C", str(folder), *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(words)}: {done.stderr.strip()[-300:]}")
