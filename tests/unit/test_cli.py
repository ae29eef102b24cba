"""The command line, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from assay.catalogue import check_trios, load_catalogue
from assay.cli import main
from assay.proof.violation import planted_violations


def test_a_new_control_is_complete_and_its_files_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["new", "SEC-12"])
    assert done.exit_code == 0, done.output
    catalogue = load_catalogue(tmp_path)
    check_trios(catalogue)
    assert [one.name for one in planted_violations(tmp_path, catalogue.controls["SEC-12"])] == ["broken"]
    (case,) = catalogue.cases
    exec(compile(case.path.read_text(), case.path, "exec"), {})
