"""What a restore of PostgreSQL prints, by the tool that made the backups: pgBackRest or Barman.

Barman is what CloudNativePG backs up with: it restores in a job of its own, whose log
is JSON, one object a line.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assay.drills.restore.procedure import StepError
from assay.formats.tools import is_disk_full
from assay.probes.runbook.shell import Command


STAMP = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d);(?:.*/)?"
REASON_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class RestoreTool:
    """How one tool restores.

    Attributes:
        latest: the value of `<POINT>` that means the end of the log.
        listed: a line of `rclone lsf --format tp`: group 1 is the time, group 2 the segment of the log.
        done: what its log says when everything was fetched.
        taken: which backup its log says that it restores, as group 1.
        failed: what its log says went wrong, empty where it is not at its end.
        ends: it stops at `<SEGMENT>`; else what reached object storage after the loss is replayed too.
        note: what the evidence must say of it, empty: nothing.
    """

    latest: str
    listed: re.Pattern[str]
    done: str
    taken: re.Pattern[str]
    failed: Callable[[str], str]
    ends: bool = True
    note: str = ""

    def newest_segment(self, printed: str, fault: float, command: Command) -> str:
        """Return the newest segment of the log that object storage held when the fault came (since 1970).

        Raises:
            StepError: it held none.
        """
        moments = ((name, time.strptime(stamp, "%Y-%m-%d %H:%M:%S"))
                   for stamp, name in self.listed.findall(printed))  # fmt: skip
        names: list[str] = [name for name, moment in moments if time.mktime(moment) <= fault]
        if not names:
            raise StepError(command.ref, "the object storage lists no segment of the log")
        return max(names)

    def fetched(self, log: str) -> bool:
        """Return whether everything was fetched."""
        return self.done in log

    def label(self, log: str) -> str:
        """Return the label of the backup that is restored, empty where the log says none."""
        found = self.taken.search(log)
        return found[1] if found else ""


def _pgbackrest_failed(log: str) -> str:
    lines = [line.strip() for line in log.splitlines()]
    errors = [line for line in lines if "ERROR:" in line or "Error:" in line]
    if not errors:
        return ""
    said = (errors[0].partition("ERROR: ")[2] or errors[0])[:REASON_MAX_CHARS]
    full = next((line for line in lines if is_disk_full(line)), "")
    return f"{said}: {full[:REASON_MAX_CHARS]}" if full and not is_disk_full(said) else said


def _barman_failed(log: str) -> str:
    """Return the last error: the job ends with it."""
    errors = [one for one in map(_entry, log.splitlines()) if one.get("level") in ("error", "fatal")]
    if not errors:
        return ""
    said = f"{errors[-1].get('msg', '')}: {errors[-1].get('error', '')}"[:REASON_MAX_CHARS]
    full = next((line.strip() for line in log.splitlines() if is_disk_full(line)), "")
    return f"{said}: {full[:REASON_MAX_CHARS]}" if full and not is_disk_full(said) else said


def _entry(line: str) -> Mapping[str, object]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


TOOLS: Mapping[str, RestoreTool] = {
    "pgbackrest": RestoreTool(
        latest="latest",
        listed=re.compile(STAMP + r"([0-9A-F]{24})-[0-9a-f]{40}\b", re.MULTILINE),
        done="restore command end: completed successfully",
        taken=re.compile(r"restore backup set ([0-9A-Z_-]+)"),
        failed=_pgbackrest_failed,
    ),
    "barman": RestoreTool(
        # CloudNativePG replays to the end of the log where targetTime is empty.
        latest="",
        listed=re.compile(STAMP + r"([0-9A-F]{24})(?:\.(?!partial$)[a-z0-9]+)?$", re.MULTILINE),
        done='"msg":"Restore completed"',
        taken=re.compile(r'"msg":"Starting barman-cloud-restore".*?"(\d{8}T\d{6})"'),
        failed=_barman_failed,
        ends=False,
        note="CloudNativePG and Barman: read off published logs, this drill was never seen on a real cluster",
    ),
}  # fmt: skip
