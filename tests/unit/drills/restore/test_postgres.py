"""Restore of PostgreSQL, the offline half: the log's files, ledger rows, states, lint of help pages."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.drills.restore import postgres_evidence as evidence
from assay.drills.restore import scratch_restore
from assay.drills.restore.capacity import capacity_statement
from assay.drills.restore.inputs import CommandCursor, pin, released
from assay.drills.restore.procedure import StepError
from assay.drills.restore.result import PARTS, Restore
from assay.drills.restore.sql_ledger import Row
from assay.drills.workload.verdict import FAIL, INFO, OK, Op
from assay.errors import ProbeError
from assay.probes.runbook import help_pages
from assay.probes.runbook.shell import Command


LINE = Command("File runbook.md:1", ("rclone", "lsf"))
OPS = [Op(f"w0-00000{n}", n, n + 0.1, OK) for n in range(1, 7)]
SUM = "a" * 40


REF = "Restore sales"


def kept(*numbers: int) -> dict[str, int]:
    return {f"w0-00000{n}": 1 for n in numbers}


def listed(stamp: str, name: str) -> str:
    return f"{stamp};15-1/{name[:16]}/{name}-{SUM}.zst"


def test_the_newest_segment_is_older_than_the_fault() -> None:
    names = [f"00000002000000000000000{n}" for n in range(3)]
    text = "\n".join(listed(f"2026-11-24 04:0{n}:00", name) for n, name in enumerate(names))
    fault = time.mktime(time.strptime("2026-11-24 04:01:30", "%Y-%m-%d %H:%M:%S"))
    assert evidence.newest_segment(text, fault, LINE) == names[1]
    with pytest.raises(StepError):
        evidence.newest_segment(text, fault - 3600, LINE)


@given(st.text(max_size=200))
def test_a_listing_is_read_or_refused(text: str) -> None:
    try:
        name = evidence.newest_segment(text, 4e9, LINE)
    except StepError:
        return
    assert len(name) == 24


def test_what_was_not_archived_may_be_lost() -> None:
    assert evidence.compare_rows(OPS, kept(1, 2, 3, 4), 4.5, REF) == ([], 2, 4.1)


def test_one_row_missing_is_named() -> None:
    wrong, lost, _ = evidence.compare_rows(OPS, kept(1, 2, 4, 5), 4.5, REF)
    assert [one.ref for one in wrong] == ["Row w0-000003"]
    assert lost == 2


@pytest.mark.parametrize("there", [(), (1, 2)])
def test_an_older_backup_is_named(there: tuple[int, ...]) -> None:
    """As of yesterday's backup, or of a log with a hole: it ends too early, whatever is ready."""
    wrong, _, _ = evidence.compare_rows(OPS, kept(*there), 4.5, REF)
    assert [one.ref for one in wrong] == [REF]


def test_what_was_refused_must_not_be_there_and_nothing_twice() -> None:
    ops = [*OPS, Op("w1-000001", 2, 2.5, FAIL), Op("w1-000002", 3, 3.5, INFO)]
    rows = {**kept(1, 2, 3, 4, 5), "w0-000006": 2, "w1-000001": 1, "w1-000002": 1}
    wrong, _, _ = evidence.compare_rows(ops, rows, 4.5, REF)
    assert {one.ref for one in wrong} == {"Row w1-000001", "Row w0-000006"}


def test_a_point_in_time_keeps_the_older_and_drops_the_younger() -> None:
    assert not evidence.to_the_point(OPS, kept(1, 2, 3), 3.5)
    wrong = evidence.to_the_point(OPS, kept(1, 2, 4), 3.5)
    assert [one.ref for one in wrong] == ["Row w0-000003", "Row w0-000004"]


def test_the_backup_that_was_taken_is_read_off() -> None:
    log = "P00   INFO: repo1: restore backup set 20261124-010203F, recovery will start at 2026-11-24 01:02:03"
    assert evidence.taken(log) == "20261124-010203F"
    assert evidence.taken("P00   INFO: restore command begin 2.44") == ""


LABEL = "20261124-010203F"
KNOWN: dict[str, Row] = {"Row order/1": {"id": 1, "mark": "a"}, "Row order/2": {"id": 2, "mark": "b"}}


@pytest.mark.parametrize(("taken", "there", "younger", "ref"), [
    (LABEL, KNOWN, [], []),
    ("20261125-010203F", KNOWN, [], [f"Backup {LABEL}"]),
    ("", KNOWN, [], [f"Backup {LABEL}"]),
    (LABEL, {"Row order/1": KNOWN["Row order/1"]}, [], ["Row order/2"]),
    (LABEL, {**KNOWN, "Row order/2": {"id": 2, "mark": "x"}}, [], ["Row order/2"]),
    (LABEL, KNOWN, ["Row order/3"], ["Row order/3"]),
], ids=["right", "another", "unknown", "gone", "changed", "younger"])  # fmt: skip
def test_the_oldest_point_is_what_it_was(
    taken: str, there: dict[str, Row], younger: list[str], ref: list[str]
) -> None:
    assert [one.ref for one in evidence.oldest(LABEL, taken, KNOWN, there, younger)] == ref


def test_a_broken_schema_is_named() -> None:
    before = ["Constraint orders/orders_pkey", "Index orders_created"]
    assert not evidence.schema(before, before, "\n")
    wrong = evidence.schema(before, before[:1], "Index orders_mark_unique\n")
    assert [one.ref for one in wrong] == ["Index orders_created", "Index orders_mark_unique"]


@pytest.mark.parametrize(("log", "says"), [
    ("P00   INFO: restore command begin", ""),
    ("P00  ERROR: [029]: unable to load info file: cipher header invalid", "cipher header invalid"),
    ("P01  ERROR: [082]: error restoring 'base/5/1': actual checksum 'a' does not match 'b'", "checksum"),
    ("P01  ERROR: [041]: unable to write '/x': [28] No space left on device", "No space left"),
])  # fmt: skip
def test_a_log_that_ended_says_why(log: str, says: str) -> None:
    why = evidence.unfetched(log)
    assert says in why
    assert bool(why) == bool(says)
    assert not evidence.fetched_backup(log)


@pytest.mark.parametrize(("row", "is_ready", "is_over"), [
    ("postgres   1/1     Running            0   9s", True, False),
    ("postgres   0/1     Running            0   9s", False, False),
    ("postgres   0/1     Init:0/1           0   9s", False, False),
    ("postgres   0/1     Init:Error         0   9s", False, True),
    ("postgres   0/1     Error              0   9s", False, True),
    ("postgres   0/1     Evicted            0   9s", False, True),
])  # fmt: skip
def test_a_pod_is_ready_or_over(row: str, is_ready: bool, is_over: bool) -> None:
    table = f"NAME  READY  STATUS  RESTARTS  AGE\n{row}\n"
    assert (scratch_restore.ready(table), bool(scratch_restore.ended(table))) == (is_ready, is_over)


def test_a_full_disk_is_told_on_the_line_after_the_error() -> None:
    log = "P01  ERROR: [064]: local-1 protocol: unable to write '/x'\n  [28] No space left on device\n"
    assert evidence.unfetched(log).endswith("'/x': [28] No space left on device")


def test_images_are_pinned_in_the_copy_of_git(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    for folder, name in ((tmp_path, "one"), (tmp_path / "postgres", "two")):
        (folder / "kustomization.yaml").write_text(f"resources: []\nimages:\n- {{name: {name}}}\n")
    images = released(tmp_path)
    assert [image["name"] for image in images] == ["one", "two"]
    pin(tmp_path, images)
    assert "two" in (tmp_path / "kustomization.yaml").read_text()
    (tmp_path / "kustomization.yaml").write_text("- a list")
    with pytest.raises(ProbeError):
        released(tmp_path)


def test_steps_are_taken_in_order() -> None:
    commands = tuple(Command(f"File r:{n}", ("kubectl", word)) for n, word in enumerate("abc"))
    steps = CommandCursor(commands)
    assert (steps.until("b"), steps.rest(), steps.rest()) == ([*commands[:2]], [commands[2]], [])
    twice = CommandCursor((*commands, commands[0]))
    assert (twice.until_last("a"), twice.rest()) == ([*commands, commands[0]], [])


@pytest.mark.parametrize(("words", "right"), [
    (("rand", "-hex", "-out", "./x", "24"), True), (("rand", "-hexx", "24"), False), (("rnd", "24"), False),
])  # fmt: skip
def test_a_help_page_judges_the_command(words: tuple[str, ...], right: bool) -> None:
    found = list(help_pages.help_mistakes("openssl", Path(str(shutil.which("openssl"))), words))
    assert (not found) == right


def test_a_size_is_stated_only_where_enough_was_measured() -> None:
    def restore(size: int) -> Restore:
        parts = dict.fromkeys(PARTS, 0.0) | {"detect": 100.0, "restore": 5 + size / 1e6}
        return Restore("postgres", 0.0, parts, size, 1.0, 0, True, "L3")

    assert capacity_statement([], 1800).startswith("unknown")
    assert "sizes were restored" in capacity_statement([restore(10**7)], 1800)
    assert "GB by 4 restores" in capacity_statement([restore(n * 10**7) for n in (1, 2, 4, 8)], 1800)
