"""What the restore drill of etcd reads off: rows of its ledger, of a status table, times of pods. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from assay.drills.restore.procedure import StepError
from assay.drills.workload.verdict import FAIL, OK, Op
from assay.formats.parsing import parsing
from assay.model import Offender
from assay.probes.runbook.shell import Command


def lost_rows(
    ops: Sequence[Op], present: frozenset[str], point: float, fault: float, kind: str = "ConfigMap"
) -> tuple[list[Offender], int, float]:
    """Return what is wrong with the rows, how many were lost, and when the newest kept one was acknowledged.

    Args:
        ops: the ledger.
        present: keys read back.
        point: when the backup was begun: what was acknowledged before must be in it.
        fault: when the disks were gone: what is acknowledged later must stay.
        kind: what a row is called.
    """
    acked = [op for op in ops if op.outcome == OK]
    gone = [op for op in acked if op.key not in present]
    missing = [op.key for op in gone if op.end <= point or op.start > fault]
    phantom = [op.key for op in ops if op.outcome == FAIL and op.key in present]
    wrong = [Offender(f"{kind} {key}", "acknowledged outside of the gap, and gone") for key in missing]
    wrong += [Offender(f"{kind} {key}", "never accepted, and there") for key in phantom]
    newest = max((op.end for op in acked if op.key in present and op.end <= fault), default=0.0)
    return wrong, len(gone), newest


def last_name(printed: str, command: Command) -> str:
    """Return the newest of the listed snapshots: their names sort by time.

    Raises:
        StepError: none is listed.
    """
    names = sorted(line.strip() for line in printed.splitlines() if line.strip())
    if not names:
        raise StepError(command.ref, "the object storage lists no snapshot")
    return names[-1]


def voters(text: str) -> int:
    """Return how many rows of `talosctl etcd status` follow one leader, are no learner, and have no error."""
    rows = [line.split() for line in text.splitlines()[1:] if line.strip()]
    good = [row for row in rows if "false" in row and row[-1] != "ERRORS"]
    leaders = {word for row in good for word in row[4:8] if len(word) == 16}
    return len(good) if len(leaders) == 1 else 0


@parsing("a creation time")
def created(item: Mapping[str, Any]) -> float:
    """Return when an object was created, seconds since 1970."""
    return _stamp(str(item["metadata"]["creationTimestamp"]))


@parsing("a pod's status")
def started_within(item: Mapping[str, Any], after: float, before: float) -> bool:
    """Return whether a container of the pod was started between two times."""
    states = item.get("status", {}).get("containerStatuses", [])
    starts = [s.get("state", {}).get("running", {}).get("startedAt") for s in states]
    return any(after < _stamp(start) < before for start in starts if start)


def _stamp(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
