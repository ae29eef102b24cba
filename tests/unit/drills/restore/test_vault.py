"""Restore of Vault, the offline half: snapshots by name, logs, rows, parts of a Vault, redirections."""

from __future__ import annotations

import calendar
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.drills.engine.session_cache import cached_per_session, clear
from assay.drills.restore import vault_evidence as evidence
from assay.drills.restore.procedure import StepError
from assay.drills.restore.result import RestoreResult
from assay.drills.restore.vault_evidence import VaultState
from assay.drills.workload.verdict import OK, Op
from assay.errors import ProbeError
from assay.probes.kube.forward import forwarded
from assay.probes.runbook.reader import Runbook
from assay.probes.runbook.shell import Command


LINE = Command("File runbook.md:1", ("rclone", "lsf"))
NAMES = [f"20261124T04{minute}00Z.snapshot.age" for minute in (10, 20, 30)]
FAULT = calendar.timegm((2026, 11, 24, 4, 25, 0))
OPS = [Op(f"w0-00000{n}", n, n + 0.1, OK) for n in range(1, 7)]


def test_the_snapshot_is_from_before_the_loss() -> None:
    assert evidence.newest_before("\n".join(reversed(NAMES)), FAULT, LINE) == NAMES[1]
    with pytest.raises(StepError):
        evidence.newest_before("\n".join(NAMES), FAULT - 3600, LINE)


@given(st.text(max_size=200))
def test_a_listing_is_read_or_refused(text: str) -> None:
    try:
        name = evidence.newest_before(text, FAULT, LINE)
    except StepError:
        return
    assert name in text


@pytest.mark.parametrize("stamp", ["20261399T999999Z", "20260230T000000Z"])
def test_a_name_that_is_no_time_is_no_snapshot(stamp: str) -> None:
    with pytest.raises(StepError):
        evidence.newest_before(f"{stamp}.snapshot.age", FAULT, LINE)


def test_logs_say_how_far_it_came() -> None:
    assert evidence.fetched_snapshot("state.bin: OK\nfetched: 59230 bytes\n") == 59230
    assert evidence.fetched_snapshot("state.bin: OK\n") == 0
    assert evidence.installed_snapshot("installed: sealed, waiting\n")
    assert not evidence.installed_snapshot("not yet installed: sealed")
    assert evidence.shown("shown: canary/rotation version 3\n")
    assert not evidence.shown("shown: canary/rotation version \n")


@pytest.mark.parametrize(
    "log",
    [
        "age: error: no identity matched any of the recipients",
        "state.bin: FAILED",
        "2026/11/24 04:00:00 Failed to copyto: object not found",
        "failed: Vault does not answer",
        "curl: (22) The requested URL returned error: 400",
    ],
)
def test_a_log_that_failed_is_hopeless(log: str) -> None:
    assert evidence.broken(f"first\n{log}\n") == log
    assert not evidence.broken("meta.json: OK\nstate.bin: OK\nfetched: 1 bytes")


def test_rows_after_the_snapshot_may_be_lost() -> None:
    assert evidence.state_rows(OPS, {op.key: True for op in OPS[:3]}, 3.5, 7.0) == ([], 3, 3.1)


def test_a_row_from_before_the_snapshot_is_named() -> None:
    present = {op.key: True for op in OPS if op.key != "w0-000002"}
    wrong, lost, _ = evidence.state_rows(OPS, present, 3.5, 7.0)
    assert [one.ref for one in wrong] == ["Entry w0-000002"]
    assert lost == 1


def test_a_row_with_another_value_is_named() -> None:
    present = {op.key: op.key != "w0-000003" for op in OPS}
    wrong, _, _ = evidence.state_rows(OPS, present, 3.5, 7.0)
    assert [(one.ref, one.why) for one in wrong] == [("Entry w0-000003", "came back with another value")]


def test_every_difference_of_two_vaults_is_named() -> None:
    before = VaultState({"Policy a": "1", "Role b": "1", "Mount kv/": "kv 2"}, {"x": "1", "y": "1"})
    after = VaultState({"Policy a": "2", "Mount kv/": "kv 2", "Audit new": "1"}, {"x": "2"})
    assert [one.ref for one in evidence.compare_state(before, after)] == [
        "Role b", "Policy a", "Audit new", "Entry y", "Entry x",
    ]  # fmt: skip
    assert not evidence.compare_state(before, before)


def test_one_drill_serves_a_session_until_it_is_forgotten(tmp_path: Path) -> None:
    runs = []

    def drill() -> RestoreResult:
        runs.append(1)
        return RestoreResult(None, ())

    clear()
    for _ in range(3):
        cached_per_session(("vault", tmp_path), drill)
    cached_per_session(("etcd", tmp_path), drill)
    assert len(runs) == 2
    clear()
    cached_per_session(("vault", tmp_path), drill)
    assert len(runs) == 3
    clear()


@pytest.mark.parametrize(
    ("line", "words", "stdin", "stdout"),
    [
        ("cat < <SHARE>", ("cat",), "<SHARE>", ""),
        ("cat <./file", ("cat",), "./file", ""),
        ("cat x > ./out", ("cat", "x"), "", "./out"),
        ("cat x >>out 2>/dev/null", ("cat", "x"), "", "out"),
        ("cat x 2> err", ("cat", "x"), "", ""),
        ("cat <APP> x", ("cat", "<APP>", "x"), "", ""),
        ("cat -x <APP> < a > b", ("cat", "-x", "<APP>"), "a", "b"),
    ],
)
def test_redirections_are_no_words(
    tmp_path: Path, line: str, words: tuple[str, ...], stdin: str, stdout: str
) -> None:
    file = tmp_path / "r.md"
    file.write_text(f"## x\n\n```bash\n{line}\n```\n")
    (found,) = Runbook(file).commands
    assert (found.words, found.stdin, found.stdout) == (words, stdin, stdout)


def test_a_port_that_is_not_forwarded_is_no_port(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho 'error: pods \"vault\" not found'\n")
    program.chmod(0o755)
    with pytest.raises(ProbeError, match="not found"), forwarded(program, tmp_path, "a", "pod/b", 1):
        pass
    with pytest.raises(ProbeError, match="does not run"), forwarded(tmp_path / "no", tmp_path, "a", "b", 1):
        pass


def test_the_forwarded_port_is_read(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho 'Forwarding from 127.0.0.1:40123 -> 8200'\nexec sleep 30\n")
    program.chmod(0o755)
    with forwarded(program, tmp_path, "a", "pod/b", 8200) as port:
        assert port == 40123
