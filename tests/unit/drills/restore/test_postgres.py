"""Restore of PostgreSQL, the offline half: the log's files, ledger rows, states, lint of help pages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assay.drills.restore import postgres_evidence as evidence
from assay.drills.restore import scratch_restore
from assay.drills.restore.capacity import capacity_statement
from assay.drills.restore.inputs import CommandCursor, pin, released
from assay.drills.restore.result import PARTS, Restore
from assay.drills.restore.sql_ledger import Row
from assay.drills.workload.verdict import FAIL, INFO, OK, Op
from assay.errors import ProbeError
from assay.probes.runbook import help_pages
from assay.probes.runbook.shell import Command


OPS = [Op(f"w0-00000{n}", n, n + 0.1, OK) for n in range(1, 7)]


REF = "Restore sales"


def kept(*numbers: int) -> dict[str, int]:
    return {f"w0-00000{n}": 1 for n in numbers}


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


def test_what_came_back_of_a_log_that_went_on_after_the_loss_is_not_counted() -> None:
    assert evidence.not_counted(OPS, 4.5) == (2, 4.1)
    assert evidence.not_counted(OPS, 0.5) == (6, 0.0)


def test_what_was_refused_must_not_be_there_and_nothing_twice() -> None:
    ops = [*OPS, Op("w1-000001", 2, 2.5, FAIL), Op("w1-000002", 3, 3.5, INFO)]
    rows = {**kept(1, 2, 3, 4, 5), "w0-000006": 2, "w1-000001": 1, "w1-000002": 1}
    wrong, _, _ = evidence.compare_rows(ops, rows, 4.5, REF)
    assert {one.ref for one in wrong} == {"Row w1-000001", "Row w0-000006"}


def test_a_point_in_time_keeps_the_older_and_drops_the_younger() -> None:
    assert not evidence.to_the_point(OPS, kept(1, 2, 3), 3.5)
    wrong = evidence.to_the_point(OPS, kept(1, 2, 4), 3.5)
    assert [one.ref for one in wrong] == ["Row w0-000003", "Row w0-000004"]


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
