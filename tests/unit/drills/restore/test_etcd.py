"""Restore of etcd, the offline half: ledger, status table, cron, encryption, procedure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups.points import encryption_fault
from assay.drills.restore.etcd_evidence import lost_rows, voters
from assay.drills.restore.procedure import Procedure, StepError
from assay.drills.restore.sandbox import Sandbox
from assay.drills.workload.verdict import FAIL, INFO, OK, Op
from assay.errors import GuardError, ProbeError
from assay.formats.cron import longest_gap
from assay.probes.runbook.shell import Command


OPS = [
    Op("before", 0, 1, OK),
    Op("between", 4, 5, OK),
    Op("open", 6, 7, INFO),
    Op("no", 6, 7, FAIL),
    Op("after", 20, 21, OK),
]
HEAD = "NODE  MEMBER  DB SIZE  IN USE  LEADER  RAFT INDEX  RAFT TERM  LEARNER  PROTOCOL  STORAGE  ERRORS"
ROW = "10.0.1.{n}  {n}4b{rest}  2.8 MB  2.8 MB (100.00%)  {leader}  521  2  521  {learner}  3.6.10  3.6.0"


def table(*rows: tuple[str, str]) -> str:
    lines = [
        ROW.format(n=n, rest="0" * 13, leader=leader, learner=learner)
        for n, (leader, learner) in enumerate(rows, 1)
    ]
    return "\n".join([HEAD, *lines])


def test_rows_after_the_backup_may_be_lost() -> None:
    assert lost_rows(OPS, frozenset({"before", "after"}), 2, 10) == ([], 1, 1)


@pytest.mark.parametrize(("present", "ref"), [
    ({"between", "after"}, "before"), ({"before"}, "after"), ({"before", "after", "no"}, "no"),
])  # fmt: skip
def test_other_rows_may_not(present: set[str], ref: str) -> None:
    wrong, _, _ = lost_rows(OPS, frozenset(present), 2, 10)
    assert [one.ref for one in wrong] == [f"ConfigMap {ref}"]


def test_voters_follow_one_leader() -> None:
    one, two = "a" * 16, "b" * 16
    assert voters(table((one, "false"), (one, "false"), (one, "false"))) == 3
    assert voters(table((one, "false"), (one, "true"))) == 1
    assert voters(table((one, "false"), (two, "false"))) == 0
    assert voters("") == 0


@pytest.mark.parametrize(("schedule", "seconds"), [
    ("7,37 * * * *", 1800), ("*/15 * * * *", 900), ("0 3 * * *", 86400), ("@hourly", 3600),
    ("0 0 * * 0", 7 * 86400), ("0 0 * * sun", 7 * 86400), ("30 1-3 * * *", 22 * 3600),
    ("0 0 1 * *", 31 * 86400),
])  # fmt: skip
def test_longest_gap(schedule: str, seconds: float) -> None:
    assert longest_gap(schedule) == seconds


@given(st.text(alphabet="0123456789*/,-@?# abcmonjan", max_size=24))
def test_a_schedule_is_read_or_refused(schedule: str) -> None:
    try:
        gap = longest_gap(schedule)
    except ProbeError:
        return
    assert gap > 0


@pytest.mark.parametrize(("head", "says"), [
    (b"age-encryption.org/v1\n-> X25519", ""), (b"\x00" * 16 + b"\xed\xda\x0c\xed", "plain database"),
    (b"", "not encrypted"), (b"age-encryption.org", "not encrypted"),
])  # fmt: skip
def test_encryption_is_told_by_the_head(tmp_path: Path, head: bytes, says: str) -> None:
    (tmp_path / "object").write_bytes(head)
    fault = encryption_fault(tmp_path / "object")
    assert says in fault
    assert bool(fault) is bool(says)


def procedure(tmp_path: Path, **values: str) -> Procedure:
    (tmp_path / "work").mkdir()
    programs = {name: Path(f"/bin/{name}") for name in ("true", "false", "echo", "cat")}
    return Procedure(Sandbox(tmp_path, tuple(programs.values())), programs, dict(values), {})


def test_a_command_is_run_as_written(tmp_path: Path) -> None:
    words = ("echo", "-n", "<CP_IP>:x")
    assert procedure(tmp_path, CP_IP="10.0.1.11").run(Command("File r.md:1", words)) == "10.0.1.11:x"


@pytest.mark.parametrize(("words", "why"), [
    (("echo", "<WHO>"), "no value for WHO"), (("false",), "exits 1"), (("rm", "-rf"), "not a program"),
])  # fmt: skip
def test_a_command_that_fails_is_named(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    with pytest.raises(StepError, match=why) as caught:
        procedure(tmp_path).run(Command("File r.md:7", words))
    assert caught.value.ref == "File r.md:7"


def test_a_command_reads_and_writes_files_of_the_envelope(tmp_path: Path) -> None:
    made = procedure(tmp_path, FILE="./given")
    (made.sandbox.work / "given").write_text("a share\n")
    printed = made.run(Command("File r.md:1", ("cat",), "<FILE>", "./kept"))
    assert (printed, (made.sandbox.work / "kept").read_text()) == ("", "a share\n")
    assert (made.sandbox.work / "kept").stat().st_mode & 0o777 == 0o600
    with pytest.raises(GuardError):
        made.run(Command("File r.md:2", ("cat",), "./given", "../../out"))
