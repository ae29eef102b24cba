"""How long backups are kept: as the document says, as the sources declare; whether the oldest is whole."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.tools import tool_opens
from assay.formats.yaml_text import text_of
from assay.model import Offender
from assay.probes.postgres import following
from assay.probes.s3.client import S3
from assay.probes.s3.facts import Expiry, ObjectVersion
from assay.probes.terraform.buckets import DeclaredBucket


COLUMNS = ("service", "lost at most", "kept days", "locked days", "removed after days", "ended by")
NUMBERS = COLUMNS[1:-1]
BUCKET = "bucket"
SEGMENT = re.compile(r"/([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})-[0-9a-f]{40}\b")
FULL_BACKUP = re.compile(r"/backup/[^/]+/(\d{8}-\d{6}F)/")
MOST = 100
LARGEST = 1 << 30
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """What the document promises of one service: seconds that may be lost; days.

    `ended` says who marks as deleted what is no longer kept: `bucket`, its own rule, or a tool.
    """

    service: str
    lost: float
    kept: int
    locked: int
    removed: int
    ended: str = BUCKET

    @property
    def ref(self) -> str:
        """Return `Service name`."""
        return f"Service {self.service}"

    @property
    def expires(self) -> int | None:
        """Return after how many days the bucket's own rule ends what is current, None where a tool does."""
        return self.kept if self.ended == BUCKET else None


@dataclass(frozen=True, slots=True)
class Base:
    """A full base backup of PostgreSQL: its label, and when its manifest, the last of it, was written."""

    label: str
    whole: dt.datetime | None = None

    @property
    def ref(self) -> str:
        """Return `Backup label`."""
        return f"Backup {self.label}"


def documented(path: Path) -> list[RetentionRule]:
    """Return the rows of the first table that has the columns of `COLUMNS`.

    Raises:
        ProbeError: there is no such table, or a number in it is none.
    """
    head: list[str] = []
    found: list[RetentionRule] = []
    for line in text_of(path, path.name).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            if found:
                break
            head = []
        elif not head:
            head = [cell.lower() for cell in cells]
        elif set(COLUMNS) <= set(head) and not set(line) <= set("|-: "):
            found.append(_row(path.name, dict(zip(head, cells, strict=False))))
    if not found:
        raise ProbeError(f"{path.name}: no table of what is kept", f"columns: {', '.join(COLUMNS)}")
    return found


def _row(where: str, cells: Mapping[str, str]) -> RetentionRule:
    try:
        lost, kept, locked, removed = (int(cells[name].split()[0]) for name in NUMBERS)
        return RetentionRule(cells["service"], float(lost), kept, locked, removed, cells["ended by"])
    except (KeyError, ValueError, IndexError):
        raise ProbeError(
            f"{where}: {cells.get('service', '?')}: a number is none", "write days as 30"
        ) from None


def undeclared(one: RetentionRule, bucket: DeclaredBucket | None, lost: float | None) -> list[Offender]:
    """Return what the sources and the profile say otherwise than the document."""
    if bucket is None:
        return [Offender(one.ref, "no bucket is declared for it")]
    wrong = unlike(one, bucket.shown, bucket.rules)
    if bucket.lock.days != one.locked:
        why = f"is locked {bucket.lock.days} days, the document says {one.locked}"
        wrong.append(Offender(bucket.shown, why))
    if one.removed < one.kept or one.locked < one.kept:
        wrong.append(Offender(one.ref, "is locked or removed before it is no longer kept"))
    if lost != one.lost:
        wrong.append(Offender(one.ref, f"its objective is {lost}, the document says {one.lost:.0f} s"))
    return wrong


def setting(path: Path, name: str) -> tuple[str, int]:
    """Return the value of `name=value` in a configuration file and its line; empty and 0 where it is not."""
    for number, line in enumerate(text_of(path, path.name).splitlines(), 1):
        key, sign, value = line.partition("=")
        if sign and key.strip() == name:
            return value.strip(), number
    return "", 0


def unlike(one: RetentionRule, bucket: str, rules: Iterable[Expiry]) -> list[Offender]:
    """Return how the life cycle of `bucket` differs from the document: earlier, later, or not at all.

    A rule that ends or removes anything must do so on the documented day, wherever it applies; and one that
    is enabled and applies to the whole bucket must be there.
    """
    active = [rule for rule in rules if rule.enabled]
    said = {"ends what is current": ([(r, r.current) for r in active], one.expires),
            "removes what was superseded": ([(r, r.noncurrent) for r in active], one.removed)}  # fmt: skip
    wrong = []
    for what, (days, wanted) in said.items():
        wrong += [
            Offender(
                bucket, f"rule {rule.name} {what} after {day} days, the document says {wanted or 'never'}"
            )
            for rule, day in days
            if day not in (None, wanted)
        ]
        if wanted is not None and not any(day == wanted and rule.whole for rule, day in days):
            wrong.append(Offender(bucket, f"no rule {what} after {wanted} days"))
    return wrong


def overdue(
    one: RetentionRule, shown: Iterable[ObjectVersion], late: float, moment: dt.datetime
) -> list[Offender]:
    """Return what a listing still shows although it is no longer kept.

    Args:
        one: what the document says.
        shown: the objects of the service's bucket.
        late: days that a nightly job, or a rule that runs once a day, may be late.
        moment: now.
    """
    if one.ended == BUCKET:
        made = [(version.ref, version.modified) for version in shown]
    else:
        made = [(base.ref, base.whole) for base in bases(shown) if base.whole]
    ages = [(ref, (moment - since).total_seconds() / DAY) for ref, since in made]
    why = "{:.0f} days old and still there, the document says {}"
    return [Offender(ref, why.format(age, one.kept)) for ref, age in ages if age > one.kept + late]


def segments(versions: Iterable[ObjectVersion]) -> frozenset[str]:
    """Return the segments of PostgreSQL's log among the objects, 24 digits each."""
    return frozenset("".join(found.groups()) for one in versions if (found := SEGMENT.search(one.key)))


def gaps(versions: Sequence[ObjectVersion]) -> list[Offender]:
    """Return what keeps PostgreSQL's oldest base backup from being replayed to the end: missing segments.

    Segments follow each other, from one timeline to the next too. A backup ends when what it needs of the
    log is archived: a log that begins later cannot make it whole.
    """
    logs = [one for one in versions if SEGMENT.search(one.key)]
    wrong = [
        Offender(f"Segment {name}", "missing in the middle of the log")
        for before, after in pairwise(sorted(segments(logs)))
        for name in _between(before, after)
    ]
    found = bases(versions)
    if not found or not logs:
        return [*wrong, Offender("Service postgres", "no base backup, or no log")]
    oldest = found[0]
    if oldest.whole is None:
        wrong.append(Offender(oldest.ref, "the oldest base backup has no manifest"))
    elif min(one.modified for one in logs) > oldest.whole:
        wrong.append(Offender(oldest.ref, "the log begins after it ended"))
    return wrong


def bases(versions: Iterable[ObjectVersion]) -> list[Base]:
    """Return the full base backups among the objects, oldest first."""
    found: dict[str, dt.datetime | None] = {}
    for one in versions:
        if place := FULL_BACKUP.search(one.key):
            whole = one.modified if one.key.endswith(f"/{place[1]}/backup.manifest") else None
            found[place[1]] = whole or found.get(place[1])
    return [Base(label, found[label]) for label in sorted(found)]


def _between(before: str, after: str) -> Iterator[str]:
    """Yield the segments that miss between two, at most a hundred.

    A new timeline begins in the segment in which the old one was left, or earlier: what lies between them is
    what the old leader never archived.
    """
    name = following(before)
    for _ in range(MOST):
        if name[8:] >= after[8:]:
            return
        yield name
        name = following(name)


def snapshot_fault(s3: S3, version: ObjectVersion, age: Path, identity: Path) -> str:
    """Return why a snapshot of Vault would not restore, empty where it opens and its own checksums hold.

    Raises:
        ProbeError: it could not be fetched, age does not run, or the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="assay-oldest-") as name:
        sealed, clear = s3.fetch(version, Path(name) / "sealed"), Path(name) / "clear"
        words = ["--decrypt", "--identity", identity, "--output", clear, sealed]
        return checksums(clear) if tool_opens(age, words) else "it does not open with the escrow key"


def checksums(archive: Path) -> str:
    """Return why the members of a raft snapshot are not what its SHA256SUMS says, empty where they are."""
    try:
        with tarfile.open(archive, "r:gz") as inside:
            contents = {
                one.name: stream.read(LARGEST) for one in inside if (stream := inside.extractfile(one))
            }
        rows = [line.split() for line in contents["SHA256SUMS"].decode("ascii").splitlines()]
        sums = {row[1]: row[0] for row in rows}
    except (OSError, EOFError, tarfile.TarError, KeyError, IndexError, UnicodeDecodeError, ValueError) as why:
        return f"it is no raft snapshot ({type(why).__name__})"
    if not {"state.bin", "meta.json"} <= set(sums):
        return "its checksums leave out the state"
    bad = [
        name for name, wanted in sums.items() if hashlib.sha256(contents.get(name, b"")).hexdigest() != wanted
    ]
    return f"the checksum of {bad[0]} does not hold" if bad else ""
