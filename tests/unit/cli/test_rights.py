"""`assay rights`: printed or into a folder, for what is selected and allowed; wrong words are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from assay.cli.rights import rights_command


ROOT = Path(__file__).parents[3]
LAB, EXAMPLE = str(ROOT / "stacks" / "lab.toml"), str(ROOT / "stacks" / "example.toml")


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def asked(*words: str) -> Result:
    return CliRunner().invoke(rights_command, list(words))


def test_one_control_gets_its_own_rights_only() -> None:
    done = asked("--stack", LAB, "--control", "ARCH-03")
    assert done.exit_code == 0
    assert "- nodes # ARCH-03" in done.output
    assert "secrets" not in done.output
    assert "vault.hcl" not in done.output


def test_a_folder_gets_one_file_for_each_system(tmp_path: Path) -> None:
    account = ("--account", "audit/judge", "--s3-reader", "arn:aws:iam:::user/me")
    done = asked("--stack", EXAMPLE, "--tier", "live", "--to", str(tmp_path / "out"), *account)
    assert done.exit_code == 0, done.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"kubernetes.yaml", "vault.hcl", "talos.txt", "postgres.sql", "s3-etcd-backups.json"}
    documents = list(yaml.safe_load_all((tmp_path / "out" / "kubernetes.yaml").read_text()))
    assert documents[0]["metadata"] == {"name": "judge", "namespace": "audit"}
    assert "arn:aws:iam:::user/me" in (tmp_path / "out" / "s3-etcd-backups.json").read_text()


def test_outside_a_lab_nothing_beyond_dry_runs_is_granted_unasked() -> None:
    plain = asked("--stack", EXAMPLE, "--control", "SEC-25").output
    allowed = asked("--stack", EXAMPLE, "--control", "SEC-25", "--allow", "writes").output
    assert "serviceaccounts/token" not in plain
    assert "serviceaccounts/token # SEC-25" in allowed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--control", "NOPE-01"), "no such control: NOPE-01"),
        (("--account", "judge"), "write NAMESPACE/NAME"),
        (("--stack", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_wrong_words_are_refused_with_a_remedy(words: tuple[str, ...], said: str) -> None:
    done = asked("--stack", LAB, *words)
    assert done.exit_code != 0
    assert said in done.output
