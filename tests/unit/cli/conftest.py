"""A small platform for the tests of the commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from assay.cli import check
from tests.unit.support.catalogue import INI, Toy


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Return a platform with two controls, in a folder that is the current one; no stack is named."""
    for name in ("ASSAY_STACK", "ASSAY_RUN", "ASSAY_REPORTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("ASSAY_LAB_STATE", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text(INI)
    made = Toy(tmp_path)
    made.trio("NET-01")
    made.trio("NET-02")
    (tmp_path / ".gitignore").write_text("reports\n__pycache__\ninfra/other\n")
    author = ("-c", "user.name=test", "-c", "user.email=test@invalid", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "the platform")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return made


@pytest.fixture
def here(pytester: pytest.Pytester, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the parts of `assay check` in this process, which has all modules already."""

    def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return int(pytester.inline_run(*command[3:], no_reraise_ctrlc=True).ret)

    monkeypatch.chdir(toy.root)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(check, "wait_for", run)
