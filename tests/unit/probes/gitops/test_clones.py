"""A work tree of another repository is judged with the whole history."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from assay.config.trees import SourceTree
from assay.probes.gitops.git import GitTree


def git(folder: Path, *words: str) -> None:
    """Run git in a folder."""
    known = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", "-C", str(folder), *known, *words], check=True, capture_output=True)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Return a repository whose first file is in the history only."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q")
    for name in ("old.yaml", "new.yaml"):
        (folder / name).write_text(name)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", name)
        git(folder, "mv", name, f"moved-{name}")
    git(folder, "commit", "-qm", "moved")
    return folder


def test_a_work_tree_of_another_repository_is_judged_with_its_history(origin: Path) -> None:
    git(origin, "worktree", "add", "-q", "../beside", "-b", "side")
    paths = {blob.path for blob in GitTree(SourceTree(origin.with_name("beside"), "")).blobs}
    assert paths == {"old.yaml", "new.yaml", "moved-old.yaml", "moved-new.yaml"}
