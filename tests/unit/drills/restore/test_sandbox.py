"""The guard of the sandbox: nothing but its content is within reach."""

from __future__ import annotations

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from assay.drills.restore.sandbox import Sandbox, open_sandbox
from assay.errors import GuardError


CAT = Path("/bin/cat")
ENV = Path("/usr/bin/env")


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Path]:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "README.md").write_text("committed\n")
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    (repository / "left-by-hand.key").write_text("not committed")
    state = tmp_path / "state"
    (state / "escrow").mkdir(parents=True)
    (state / "escrow" / "age.key").write_text("identity")
    (state / "reader.json").write_text("{}")
    (state / "talosconfig").write_text("of the lost platform")
    (state / "runbook.md").write_text("# Runbook\n")
    return {"repository": repository, "state": state}


def opened(given: dict[str, Path]) -> AbstractContextManager[Sandbox]:
    state = given["state"]
    return open_sandbox(
        state / "reader.json",
        state / "escrow",
        given["repository"],
        state / "runbook.md",
        (CAT, ENV),
        (state,),
    )


def test_it_holds_exactly_what_it_may(given: dict[str, Path]) -> None:
    with opened(given) as sandbox:
        assert {p.name for p in sandbox.folder.iterdir()} == {
            "s3-reader.json", "escrow", "git", "runbook.md", "work",
        }  # fmt: skip
        assert (sandbox.escrow / "age.key").read_text() == "identity"
        assert {p.name for p in sandbox.git.iterdir()} == {"README.md"}
        folder = sandbox.folder
    assert not folder.exists()


def test_no_other_credential_is_in_the_environment(
    given: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KUBECONFIG", "TALOSCONFIG", "AWS_SECRET_ACCESS_KEY", "VAULT_TOKEN", "SOPS_AGE_KEY"):
        monkeypatch.setenv(name, "secret")
    with opened(given) as sandbox:
        assert "secret" not in sandbox.run([str(ENV)], 10).text
        assert "secret" not in os.environ.values()
    assert os.environ["KUBECONFIG"] == "secret"


@pytest.mark.parametrize("word", ["{}", "--talosconfig={}", "@{}", "--from=a:{}"])
def test_a_program_is_given_no_file_from_outside(given: dict[str, Path], word: str) -> None:
    ref = word.format(given["state"] / "talosconfig")
    with pytest.raises(GuardError, match="talosconfig lies outside"), opened(given) as sandbox:
        sandbox.run([str(CAT), ref], 10)


def test_not_by_a_way_round(given: dict[str, Path]) -> None:
    with opened(given) as sandbox:
        way = os.path.relpath(given["state"] / "talosconfig", sandbox.work)
        with pytest.raises(GuardError, match="outside"):
            sandbox.run([str(CAT), way], 10)


def test_nor_another_program(given: dict[str, Path]) -> None:
    with pytest.raises(GuardError, match="not a program"), opened(given) as sandbox:
        sandbox.run(["/bin/sh", "-c", "true"], 10)


def test_its_own_files_may_be_read(given: dict[str, Path]) -> None:
    with opened(given) as sandbox:
        assert sandbox.run([str(CAT), "../escrow/age.key"], 10).text == "identity"
        assert sandbox.run([str(CAT), str(sandbox.runbook)], 10).text == "# Runbook\n"


def test_the_drill_itself_reads_nothing_outside(given: dict[str, Path]) -> None:
    with pytest.raises(GuardError, match="talosconfig: read from outside"), opened(given):
        (given["state"] / "talosconfig").read_text()
    (given["state"] / "talosconfig").read_text()
    with opened(given):
        pass


def test_nothing_is_slipped_in(given: dict[str, Path]) -> None:
    with pytest.raises(GuardError, match="kubeconfig"), opened(given) as sandbox:
        (sandbox.folder / "kubeconfig").write_text("found on a laptop")


def test_a_link_does_not_lead_outside(given: dict[str, Path]) -> None:
    with pytest.raises(GuardError, match="leads outside"), opened(given) as sandbox:
        (sandbox.work / "innocent").symlink_to(given["state"] / "talosconfig")


def test_what_is_missing_is_said_before_anything_is_done(given: dict[str, Path]) -> None:
    (given["state"] / "reader.json").unlink()
    with pytest.raises(GuardError, match="cannot be filled"), opened(given):
        pass
    assert isinstance(Sandbox(Path("/nowhere")).environment, dict)
