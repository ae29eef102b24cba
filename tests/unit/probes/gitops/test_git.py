"""The reader of a repository's history, tried on repositories made for it."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ProbeError
from assay.probes.gitops.git import GitTree, secrets_in_file
from tests.unit.support.trees import tree


PEM = base64.b64encode(("-----BEGIN ED25519 " + "PRIVATE KEY-----\n" + "x" * 64).encode()).decode()
TOKEN = "ab1" * 2 + "." + "cdef" * 4


def git(repo: Path, *words: str) -> None:
    author = ["-c", "user.name=t", "-c", "user.email=t@invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(repo), *author, *words], check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    commit(repo, "README.md", "hello\n")
    return repo


def commit(repo: Path, name: str, text: str) -> None:
    (repo / name).parent.mkdir(parents=True, exist_ok=True)
    (repo / name).write_text(text, encoding="utf-8")
    git(repo, "add", "-f", name)
    git(repo, "commit", "-q", "-m", name)


@pytest.mark.parametrize(
    ("name", "text", "ref"),
    [
        ("terraform.tfstate", "{}", "File terraform.tfstate"),
        ("a/x.tfstate.backup", "{}", "File a/x.tfstate.backup"),
        ("talosconfig", "x", "File talosconfig"),
        ("admin.kubeconfig", "x", "File admin.kubeconfig"),
        ("cp/controlplane.yaml", f"machine:\n  token: {TOKEN}\n", "File cp/controlplane.yaml"),
        ("patch.yaml", f"machine:\n  ca:\n    key: {PEM}\n", "File patch.yaml:3"),
        ("notes.md", f"the token\ntoken: {TOKEN}\n", "File notes.md:2"),
        ("Name with ü", f"token: {TOKEN}\n", "File Name with ü:1"),
    ],
)
def test_secrets_are_found_now_and_in_the_past(repo: Path, name: str, text: str, ref: str) -> None:
    commit(repo, name, text)
    assert ref in {one.ref for one in GitTree(tree(repo, "")).exposures()}
    git(repo, "rm", "-q", name)
    git(repo, "commit", "-q", "-m", "gone")
    found = {one.ref: one.why for one in GitTree(tree(repo, "")).exposures()}
    assert "in the history" in found[ref]
    assert TOKEN not in str(found)


def test_side_branches_and_tags_count(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "side")
    commit(repo, "kubeconfig", "x")
    git(repo, "tag", "kept")
    git(repo, "checkout", "-q", "main")
    git(repo, "branch", "-q", "-D", "side")
    assert [one.ref for one in GitTree(tree(repo, "")).exposures()] == ["File kubeconfig"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("controlplane.yaml", "machine:\n  type: controlplane\n"),
        ("secrets.yaml", "token: ${TOKEN}\nkey: ENC[AES256_GCM,data:xx]\n"),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        ("a.yaml", "token: <TOKEN>\nsecret: {name: x}\n"),
        ("kubeconfig.md", "how to"),
        ("b.yaml", f"digest: sha256:{'0a' * 32}\n"),
    ],
)
def test_templates_are_no_secrets(repo: Path, name: str, text: str) -> None:
    commit(repo, name, text)
    assert GitTree(tree(repo, "")).exposures() == []


def test_half_a_history_is_an_error(repo: Path, tmp_path: Path) -> None:
    commit(repo, "b", "b")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    with pytest.raises(ProbeError, match="shallow"):
        _ = GitTree(tree(tmp_path / "shallow", "")).blobs


def test_no_repository_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ProbeError) as caught:
            _ = GitTree(tree(path, "")).blobs
        assert caught.value.remedy


@given(st.text(max_size=200))
def test_any_text_can_be_searched(text: str) -> None:
    assert all(line >= 1 for line, _ in secrets_in_file(text))
    padded = f"\n{text}\ntoken: {TOKEN}\n"
    assert (padded.count("\n"), "a Talos token") in secrets_in_file(padded)
