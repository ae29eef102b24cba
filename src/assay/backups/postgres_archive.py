"""PostgreSQL's base backups and its log in object storage, as pgBackRest and Barman lay them out.

A base backup without the log that it ends in cannot come back, and a log without a base backup is nothing.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from assay.errors import ProbeError
from assay.model import Offender
from assay.probes.postgres import following
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion


MAX_GAP = 100
MAX_INFO_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ArchiveLayout:
    """Where a tool keeps what.

    Attributes:
        base: an object of a base backup; group 1 is its label.
        whole: the object that is written last, or says that all is there; group 1 is the label.
        segment: a segment of the log; its groups together are its name, 24 digits.
        begins: an object that says in which segment a base backup begins; group 1 is that segment.
    """

    base: re.Pattern[str]
    whole: re.Pattern[str]
    segment: re.Pattern[str]
    begins: re.Pattern[str]


LAYOUTS: Mapping[str, ArchiveLayout] = {
    "pgbackrest": ArchiveLayout(
        re.compile(r"/backup/[^/]+/(\d{8}-\d{6}F)/"),
        re.compile(r"/backup/[^/]+/(\d{8}-\d{6}F)/backup\.manifest$"),
        re.compile(r"/([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})-[0-9a-f]{40}\b"),
        re.compile(r"/([0-9A-F]{24})\.[0-9A-F]{8}\.backup$"),
    ),
    "barman": ArchiveLayout(
        re.compile(r"/base/([^/]+)/"),
        re.compile(r"/base/([^/]+)/backup\.info$"),
        re.compile(r"/wals/[0-9A-F]{16}/([0-9A-F]{24})(?:\.(?!partial$)[a-z0-9]+)?$"),
        re.compile(r"(?!)"),
    ),
}


@dataclass(frozen=True, slots=True)
class Base:
    """A full base backup: its label, when it was whole (None: it is not), the segment in which it begins."""

    label: str
    whole: dt.datetime | None = None
    begins: str = ""

    @property
    def ref(self) -> str:
        """Return `Backup label`."""
        return f"Backup {self.label}"


@dataclass(frozen=True, slots=True)
class NewestState:
    """The newest state that an archive can be replayed to.

    Attributes:
        base: the newest whole base backup, None where there is none.
        segment: the last segment of the log that follows it without a gap, empty where there is none.
        moment: when that segment was archived; None: nothing can be restored.
        faults: what keeps later parts from being restored.
    """

    base: Base | None = None
    segment: str = ""
    moment: dt.datetime | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Archive:
    """The base backups, oldest first, and the log: segment -> when it was archived."""

    bases: tuple[Base, ...]
    log: Mapping[str, dt.datetime]

    def newest(self) -> NewestState:
        """Return the newest state that can be restored from it."""
        base = next((one for one in reversed(self.bases) if one.whole), None)
        if base is None or base.whole is None:
            return NewestState(faults=("no base backup is whole",))
        names = sorted(name for name in self.log if name[8:] >= base.begins[8:])
        if not names or names[0][8:] != base.begins[8:]:
            return NewestState(base, faults=(f"the log of {base.label} does not begin: no {base.begins}",))
        reached, missing = names[0], ""
        for before, after in pairwise(names):
            if missing := next(missing_between(before, after), ""):
                break
            reached = after
        faults = (f"segment {missing} is missing",) if missing else ()
        if self.log[reached] < base.whole and missing:
            return NewestState(base, faults=(*faults, f"{base.label} cannot be made whole without it"))
        return NewestState(base, reached, self.log[reached], faults)

    def gaps(self, service: str) -> list[Offender]:
        """Return what keeps the oldest base backup from being replayed to the end of the log.

        Segments follow each other, from one timeline to the next too. A backup ends when what it needs of the
        log is archived: a log that begins later cannot make it whole.
        """
        wrong = [
            Offender(f"Segment {name}", "missing in the middle of the log")
            for before, after in pairwise(sorted(self.log))
            for name in missing_between(before, after)
        ]
        if not self.bases or not self.log:
            return [*wrong, Offender(f"Service {service}", "no base backup, or no log")]
        oldest = self.bases[0]
        if oldest.whole is None:
            wrong.append(Offender(oldest.ref, "the oldest base backup is not whole"))
        elif min(self.log.values()) > oldest.whole:
            wrong.append(Offender(oldest.ref, "the log begins after it ended"))
        return wrong


def read_archive(s3: S3, tool: str, versions: Iterable[ObjectVersion]) -> Archive:
    """Return the archive of `tool` among the objects that a listing shows.

    Raises:
        ProbeError: what says that a base backup is whole cannot be read.
    """
    layout, log, labels = LAYOUTS[tool], dict[str, dt.datetime](), set[str]()
    wholes, begins = dict[str, ObjectVersion](), list[tuple[dt.datetime, str]]()
    for one in versions:
        if found := layout.segment.search(one.key):
            log["".join(found.groups())] = one.modified
        elif found := layout.begins.search(one.key):
            begins.append((one.modified, found[1]))
        elif found := layout.base.search(one.key):
            labels.add(found[1])
            if layout.whole.search(one.key):
                wholes[found[1]] = one
    described = _barman if tool == "barman" else _pgbackrest
    return Archive(
        tuple(described(s3, label, wholes.get(label), begins, log) for label in sorted(labels)), log
    )


Begins = Sequence[tuple[dt.datetime, str]]


def _pgbackrest(
    _: S3, label: str, whole: ObjectVersion | None, begins: Begins, log: Mapping[str, dt.datetime]
) -> Base:
    """Its manifest is written last; a history file of the log, written just before, says where it begins."""
    if whole is None:
        return Base(label)
    known = max((one for one in begins if one[0] <= whole.modified), default=None)
    before = (name for name, moment in log.items() if moment <= whole.modified)
    return Base(label, whole.modified, known[1] if known else max(before, default=""))


def _barman(
    s3: S3, label: str, whole: ObjectVersion | None, _: Begins, __: Mapping[str, dt.datetime]
) -> Base:
    """Its description says whether it is done, and where it begins."""
    if whole is None:
        return Base(label)
    text = s3.read(whole, MAX_INFO_BYTES).decode("utf-8", "replace")
    known = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if known.get("status") != "DONE":
        return Base(label)
    if not re.fullmatch(r"[0-9A-F]{24}", known.get("begin_wal", "")):
        raise ProbeError(
            f"{whole.ref}: does not say in which segment it begins", "is this Barman's backup.info?"
        )
    return Base(label, whole.modified, known["begin_wal"])


def missing_between(before: str, after: str) -> Iterator[str]:
    """Yield the segments that miss between two, at most a hundred.

    A new timeline begins in the segment in which the old one was left, or earlier: what lies between them is
    what the old leader never archived.
    """
    name = following(before)
    for _ in range(MAX_GAP):
        if name[8:] >= after[8:]:
            return
        yield name
        name = following(name)
