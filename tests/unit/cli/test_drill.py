"""`assay drill`: an approval from its writing to its signatures, as the command line leads through it."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from assay.cli.drill import drill_command
from assay.drills import degraded
from assay.probes.kube.client import Kube
from tests.unit.support.signers import Signers


PROFILE = """
[stack]
name = "staging"
kind = "staging"
cluster_uid = "u-1"

[drill]
approval = "approval.toml"
allowed_signers = "allowed_signers"
"""


class FakeCluster:
    """The cluster that is meant."""

    def check_cluster(self) -> None:
        """Accept."""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Kube, "from_profile", lambda *_: FakeCluster())
    monkeypatch.setattr(degraded, "degraded", lambda _: [])
    monkeypatch.setattr(degraded, "late_backups", lambda *_: [])
    (tmp_path / "stack.toml").write_text(PROFILE)
    return tmp_path / "stack.toml"


def invoked(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(drill_command, words)
    assert done.exit_code == code, done.output
    return done.output


def approve(
    stack: Path, *, drills: tuple[str, ...] = ("control-planes",), code: int = 0, begins: str = ""
) -> str:
    now = dt.datetime.now(dt.UTC)
    return invoked(
        "approve", *drills, "--stack", str(stack), "--reason", "quarterly",
        "--begins", begins or (now - dt.timedelta(hours=1)).isoformat(),
        "--ends", (now + dt.timedelta(hours=3)).isoformat(), "--approver", "ada@example.com",
        "--approver", "bob@example.com", "--output", str(stack.with_name("approval.toml")), code=code,
    )  # fmt: skip


def test_an_approval_from_its_writing_to_the_plan(stack: Path) -> None:
    """Each step says what is missing next, and the printed commands are the ones that work."""
    signers = Signers(stack.parent)
    plan = ("plan", "control-planes", "--stack", str(stack))
    assert "NO  drills are approved: approval.toml: No such file" in invoked(*plan, code=1)
    printed = approve(stack)
    commands = re.findall(r"^  (ssh-keygen .*)$", printed, re.MULTILINE)
    assert len(commands) == 2
    for person, command in zip(("ada@example.com", "bob@example.com"), commands, strict=True):
        said = invoked(*plan, code=1)
        assert f"NO  two people signed the approval: approval.toml is not signed by {person}" in said
        signers.person(person, 'namespaces="assay-drill"')
        key = str(stack.parent / f"key-{person}")
        subprocess.run(["sh", "-c", command.replace(" KEY ", f" {key} ")], check=True, capture_output=True)
    said = invoked(*plan)
    assert "NO" not in said
    assert "ok  two people signed the approval" in said
    assert "impact:   every control plane loses power once" in said


def test_what_an_approval_cannot_say(stack: Path) -> None:
    assert "a time is written as 2026-12-01T02:00:00+01:00" in approve(stack, begins="tonight", code=1)
    assert "begins must be a time with its offset" in approve(stack, begins="2026-12-01T02:00:00", code=1)
    assert "ends must be after begins" in approve(stack, begins="2099-12-01T02:00:00+01:00", code=1)


def test_the_plan_names_a_drill_that_no_approval_allows(stack: Path) -> None:
    approve(stack, drills=("etcd",))
    said = invoked("plan", "etcd", "--stack", str(stack), code=1)
    assert "the drill etcd takes every control plane: it is for labs only" in said
