"""What the restore drill of Vault reads off: names of snapshots, its rows, what Vault is made of. Pure."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from assay.drills.restore.etcd_evidence import lost_rows
from assay.drills.restore.procedure import StepError
from assay.drills.workload.verdict import Op
from assay.model import Offender
from assay.probes.runbook.shell import Command


# A time in the name of a snapshot, UTC, written with or without separators.
STAMPED = re.compile(r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)[T_-]?(\d\d)[:-]?(\d\d)[:-]?(\d\d)(?!\d)", re.ASCII)
FETCHED = re.compile(r"^fetched: (\d+) bytes$", re.MULTILINE)
INSTALLED = re.compile(r"^installed: sealed\b", re.MULTILINE)
FAILED = re.compile(r"^(?:failed: |.*\berror\b|.*\bFailed\b|curl: |age: |.*: FAILED).*$", re.MULTILINE)
SHOWN = re.compile(r"^shown: \S+ version [1-9]\d*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class VaultState:
    """What a Vault is made of, by name; two that are equal have the same digest in every place.

    Attributes:
        parts: `Policy x`, `Role x`, `Mount x`, `Auth x`, `Audit x` -> what it is, in words.
        entries: path -> its version and the digests of its values, as one text.
    """

    parts: Mapping[str, str]
    entries: Mapping[str, str]


def newest_before(printed: str, fault: float, command: Command) -> str:
    """Return the newest listed snapshot that was begun before the fault (since 1970), by its name.

    Raises:
        StepError: none is listed.
    """
    stamps = [("".join(found.groups()), line.strip()) for line in printed.splitlines()
              if (found := STAMPED.search(line))]  # fmt: skip
    early = [name for stamp, name in sorted(stamps) if _moment(stamp) <= fault]
    if not early:
        raise StepError(command.ref, "the object storage lists no snapshot from before the loss")
    return early[-1]


def _moment(stamp: str) -> float:
    try:
        return calendar.timegm(time.strptime(stamp, "%Y%m%d%H%M%S"))
    except ValueError:
        return float("inf")


def fetched_snapshot(log: str) -> int:
    """Return the bytes that were fetched, unpacked; 0 while the log does not say."""
    found = FETCHED.search(log)
    return int(found[1]) if found else 0


def installed_snapshot(log: str) -> bool:
    """Return whether the snapshot lies in the empty Vault."""
    return INSTALLED.search(log) is not None


def broken(log: str) -> str:
    """Return the line of a log in which something failed, empty where none did."""
    found = FAILED.search(log)
    return found[0].strip()[:200] if found else ""


def shown(printed: str) -> bool:
    """Return whether an application's login read an entry."""
    return SHOWN.search(printed) is not None


def compare_state(before: VaultState, after: VaultState) -> list[Offender]:
    """Return what did not come back as it was: parts that are gone or other ones, entries, and new ones."""
    return [
        *_differing(before.parts, after.parts, lambda name: name),
        *_differing(before.entries, after.entries, lambda path: f"Entry {path}"),
    ]


def _differing(
    before: Mapping[str, str], after: Mapping[str, str], ref: Callable[[str], str]
) -> list[Offender]:
    gone = [Offender(ref(name), "was there, did not come back") for name in before if name not in after]
    other = [
        Offender(ref(name), "came back as another")
        for name in before
        if name in after and after[name] != before[name]
    ]
    new = [Offender(ref(name), "was not there before the loss") for name in after if name not in before]
    return [*gone, *other, *new]


def state_rows(
    ops: Sequence[Op], present: Mapping[str, bool], point: float, fault: float
) -> tuple[list[Offender], int, float]:
    """Return what is wrong with the ledger, how many rows were lost, when the newest kept one was confirmed.

    Args:
        ops: the ledger.
        present: key -> whether its value is the one that was written.
        point: when the snapshot was begun.
        fault: when the ledger ended, and the old Vault with it.
    """
    bad = [
        Offender(f"Entry {key}", "came back with another value")
        for key, right in present.items()
        if not right
    ]
    wrong, lost, newest = lost_rows(ops, frozenset(present), point, fault, "Entry")
    return [*bad, *wrong], lost, newest
