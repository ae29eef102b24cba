"""What a restore of PostgreSQL prints: pgBackRest in the lab, Barman as its users published it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups.postgres_archive import LAYOUTS
from assay.drills.registry import OLDEST_RESTORES, RESTORES
from assay.drills.restore.place import place_of
from assay.drills.restore.postgres_tools import TOOLS, RestoreTool
from assay.drills.restore.procedure import Procedure, StepError
from assay.drills.restore.sandbox import Sandbox
from assay.probes.runbook.reader import Runbook
from assay.probes.runbook.shell import Command


ROOT = Path(__file__).parents[4]
LINE = Command("File runbook.md:1", ("rclone", "lsf"))
SUM = "a" * 40
PGBACKREST, BARMAN = TOOLS["pgbackrest"], TOOLS["barman"]
# As plugin-barman-cloud 0.5 and CloudNativePG 1.20 and 1.27 write them, shortened.
CATALOGUE = (
    '{"level":"info","ts":"2025-06-25T21:29:37.02Z","msg":"Target backup found",'
    '"backup":{"backup_name":"backup-20250625211845","backup_id":"20250625T211846","error":"","timeline":1}}\n'
)
PLUGIN = (
    '{"level":"info","ts":"2025-06-25T21:29:38.05Z","msg":"Starting barman-cloud-restore",'
    '"options":["--cloud-provider","aws-s3","--endpoint-url","http://10.0.0.2:9000","s3://backups/","db","20250625T211846","/var/lib/pgdata"]}\n'
)
IN_TREE = (
    '{"level":"info","ts":"2023-04-25T04:07:49Z","msg":"Starting barman-cloud-restore",'
    '"options":["--endpoint-url","http://minio:9000","s3://cnpg","db","20230423T090008","--cloud-provider","aws-s3"]}\n'
)
COMPLETED = '{"level":"info","ts":"2023-04-25T04:14:01Z","msg":"Restore completed","logging_pod":"db-1"}\n'
FAILED = (
    '{"level":"error","ts":"2023-04-09T18:50:41Z","msg":"Error while restoring a backup","logging_pod":'
    '"db-1-full-recovery","error":"no target backup found","stacktrace":"github.com/x.Error"}\n'
)


def test_each_layout_has_its_tool_and_its_drills() -> None:
    assert set(TOOLS) == set(LAYOUTS) == set(RESTORES) & set(LAYOUTS) == set(OLDEST_RESTORES)


def test_barmans_drill_says_that_nobody_saw_it() -> None:
    assert "never seen on a real cluster" in BARMAN.note
    assert not PGBACKREST.note


def pgbackrest(stamp: str, name: str) -> str:
    return f"{stamp};15-1/{name[:16]}/{name}-{SUM}.zst"


def barman(stamp: str, name: str) -> str:
    return f"{stamp};db/wals/{name[:16]}/{name}.gz"


@pytest.mark.parametrize(("tool", "listed"), [(PGBACKREST, pgbackrest), (BARMAN, barman)])
def test_the_newest_segment_is_older_than_the_fault(
    tool: RestoreTool, listed: Callable[[str, str], str]
) -> None:
    names = [f"00000002000000000000000{n}" for n in range(3)]
    text = "\n".join(listed(f"2026-11-24 04:0{n}:00", name) for n, name in enumerate(names))
    fault = time.mktime(time.strptime("2026-11-24 04:01:30", "%Y-%m-%d %H:%M:%S"))
    assert tool.newest_segment(text, fault, LINE) == names[1]
    with pytest.raises(StepError):
        tool.newest_segment(text, fault - 3600, LINE)


@pytest.mark.parametrize("name", [
    "base/20250625T211846/data.tar.gz", "wals/0000000100000000/000000010000000000000003.partial",
    "wals/0000000100000000/000000010000000000000003.00000028.backup.gz", "wals/00000002.history.gz",
])  # fmt: skip
def test_what_is_no_segment_of_barmans_is_not_taken_for_one(name: str) -> None:
    with pytest.raises(StepError):
        BARMAN.newest_segment(f"2026-11-24 04:00:00;db/{name}", 4e9, LINE)


@given(st.sampled_from([PGBACKREST, BARMAN]), st.text(max_size=200))
def test_a_listing_is_read_or_refused(tool: RestoreTool, text: str) -> None:
    try:
        name = tool.newest_segment(text, 4e9, LINE)
    except StepError:
        return
    assert len(name) == 24


def test_the_backup_that_was_taken_is_read_off() -> None:
    log = "P00   INFO: repo1: restore backup set 20261124-010203F, recovery will start at 2026-11-24 01:02:03"
    assert PGBACKREST.label(log) == "20261124-010203F"
    assert PGBACKREST.label("P00   INFO: restore command begin 2.44") == ""
    assert BARMAN.label(CATALOGUE + PLUGIN + COMPLETED) == "20250625T211846"
    assert BARMAN.label(IN_TREE) == "20230423T090008"
    assert BARMAN.label(CATALOGUE) == ""


@pytest.mark.parametrize(("tool", "log", "says"), [
    (PGBACKREST, "P00   INFO: restore command begin", ""),
    (PGBACKREST, "P00  ERROR: [029]: unable to load info file: cipher header invalid", "header invalid"),
    (PGBACKREST, "P01  ERROR: [082]: error restoring 'base/5': checksum 'a' does not match 'b'", "checksum"),
    (PGBACKREST, "P01  ERROR: [041]: unable to write '/x': [28] No space left on device", "No space left"),
    (BARMAN, CATALOGUE + PLUGIN, ""), (BARMAN, FAILED, "no target backup found"),
    (BARMAN, "Defaulted container \"full-recovery\" out of: full-recovery\n[1]\n{\n", ""),
])  # fmt: skip
def test_a_log_that_ended_says_why(tool: RestoreTool, log: str, says: str) -> None:
    why = tool.failed(log)
    assert says in why
    assert bool(why) == bool(says)
    assert not tool.fetched(log)


def test_a_full_disk_is_told_on_the_line_after_the_error() -> None:
    log = "P01  ERROR: [064]: local-1 protocol: unable to write '/x'\n  [28] No space left on device\n"
    assert PGBACKREST.failed(log).endswith("'/x': [28] No space left on device")
    log = '{"level":"info","msg":"[Errno 28] No space left on device"}\n' + FAILED
    assert BARMAN.failed(log).startswith("Error while restoring a backup: no target backup found: ")
    assert "No space left" in BARMAN.failed(log)


def test_a_restore_that_went_through_is_seen() -> None:
    assert BARMAN.fetched(PLUGIN + COMPLETED)
    assert PGBACKREST.fetched("P00   INFO: restore command end: completed successfully (9ms)")


def test_the_documented_section_of_cloudnativepg_is_one_that_restores(tmp_path: Path) -> None:
    """Each of its commands is carried out in a sandbox, by a tool that prints its words."""
    found = Runbook(ROOT / "docs" / "restores.md", kubectl=None, rclone=None).section("CloudNativePG")
    place = place_of(found, "CloudNativePG")
    assert (place.namespace, place.pod, place.overlay) == ("shop-restored", "shop-1", "<GIT>/restore/shop")
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\necho "$@"\n')
    tool.chmod(0o700)
    sandbox = Sandbox(tmp_path / "box", (tool,))
    for folder in (sandbox.work, sandbox.git / "restore" / "shop", sandbox.escrow):
        folder.mkdir(parents=True)
    values: dict[str, str | tuple[str, ...]] = {
        "GIT": "../git", "ESCROW": "../escrow", "BUCKET": "backups", "POINT": BARMAN.latest,
    }  # fmt: skip
    procedure = Procedure(sandbox, {"kubectl": tool, "rclone": tool}, values, {})
    for command in found:
        procedure.run(command)
    written = (sandbox.git / "restore" / "shop" / "point.yaml").read_text()
    assert written.split()[-4:-3] == ["--from-literal=point="]
