"""What the restore drill of PostgreSQL compares: rows of its ledger, states, the schema. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from assay.drills.restore.sql_ledger import Row
from assay.drills.workload.verdict import FAIL, OK, Op
from assay.model import Offender


def compare_rows(
    ops: Sequence[Op], kept: Mapping[str, int], archived: float, ref: str
) -> tuple[list[Offender], int, float]:
    """Return what is wrong with the rows, how many were lost, and when the newest kept one was acknowledged.

    What was archived before the loss must be there, and nothing may miss in the middle: a log is replayed to
    one point, so what is lost is newer than all that came back.

    Args:
        ops: the ledger up to the fault.
        kept: key -> how many restored rows it has.
        archived: whatever was acknowledged before this moment lay in object storage when the fault came.
        ref: what is named where no row is to blame.
    """
    acked = [op for op in ops if op.outcome == OK]
    gone = [op for op in acked if op.key not in kept]
    last_start = max((op.start for op in acked if op.key in kept), default=0.0)
    holes = [op for op in gone if op.end < last_start]
    owed = [op for op in gone if op.end <= archived and op not in holes]
    wrong = [Offender(f"Row {op.key}", "acknowledged before rows that came back, and gone") for op in holes]
    if owed:
        what = f"{len(owed)} rows that were archived before the loss did not come back"
        wrong.append(Offender(ref, f"{what}, the first is {owed[0].key}"))
    phantom = [op.key for op in ops if op.outcome == FAIL and op.key in kept]
    wrong += [Offender(f"Row {key}", "refused, and there") for key in phantom]
    wrong += [Offender(f"Row {key}", "there twice") for key in sorted(kept) if kept[key] > 1]
    newest = max((op.end for op in acked if op.key in kept), default=0.0)
    return wrong, len(gone), newest


def not_counted(ops: Sequence[Op], archived: float) -> tuple[int, float]:
    """Return how many rows were lost at most, and when the newest kept one was acknowledged at the earliest.

    For a restore that replays what reached object storage after the loss too: only what lay there before it
    counts as kept, whatever came back.
    """
    acked = [op.end for op in ops if op.outcome == OK]
    kept = [end for end in acked if end <= archived]
    return len(acked) - len(kept), max(kept, default=0.0)


def to_the_point(ops: Sequence[Op], kept: Mapping[str, int], point: float) -> list[Offender]:
    """Return what is wrong with rows restored to `point`: older ones must be there, younger ones not."""
    acked = [op for op in ops if op.outcome == OK]
    older = [op.key for op in acked if op.end <= point and op.key not in kept]
    younger = [op.key for op in ops if op.start > point and op.key in kept]
    return [
        *(Offender(f"Row {key}", "older than the point in time, and gone") for key in older),
        *(Offender(f"Row {key}", "younger than the point in time, and there") for key in younger),
    ]


def oldest(
    label: str, taken: str, known: Mapping[str, Row], there: Mapping[str, Row], younger: Iterable[str]
) -> list[Offender]:
    """Return what is wrong with a restore of the backup `label` to the moment after it was whole.

    Args:
        label: the oldest base backup.
        taken: the one that was restored.
        known: name -> row that is older, by the live database.
        there: the same of the restored one.
        younger: names of restored rows that are younger.
    """
    wrong = [] if taken == label else [Offender(f"Backup {label}", f"{taken or 'none'} was restored instead")]
    gone = [name for name, row in known.items() if there.get(name) != row]
    return [
        *wrong,
        *(Offender(name, "older than the point, and gone or another") for name in gone),
        *(Offender(name, "younger than the point, and there") for name in younger),
    ]


def schema(before: Sequence[str], after: Sequence[str], invalid: str) -> list[Offender]:
    """Return the constraints and indexes that did not come back, and those that do not hold any more."""
    gone = [Offender(name, "was there, did not come back") for name in before if name not in set(after)]
    bad = [Offender(line.strip(), "does not hold") for line in invalid.splitlines() if line.strip()]
    return [*gone, *bad]
