"""How long backups are kept: as the document says, as the sources declare, as the buckets' rules do."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.config.platform import Platform, Service
from assay.config.trees import SourceTree
from assay.errors import ProbeError
from assay.formats.yaml_text import text_of
from assay.model import Offender
from assay.probes.s3.facts import Expiry
from assay.probes.terraform.buckets import DeclaredBucket


COLUMNS = ("service", "lost at most", "kept days", "locked days", "removed after days", "ended by")
NUMBERS = COLUMNS[1:-1]
OPENED = "encrypted"  # a further column begins with it: what opens the backups, the last word that is code
CODE = re.compile(r"`([^`]+)`")
BUCKET = "bucket"
# Where a tool is told how long to keep base backups: in days, or written as 30d.
SETTINGS = {"pgbackrest": "repo1-retention-full", "barman": "retentionPolicy"}
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """What the document promises of one service: seconds that may be lost; days.

    `ended` says who marks as deleted what is no longer kept: `bucket`, its own rule, or a tool. `key` is the
    file that opens them, where the document says it.
    """

    service: str
    lost: float
    kept: int
    locked: int
    removed: int
    ended: str = BUCKET
    key: str = ""

    @property
    def ref(self) -> str:
        """Return `Service name`."""
        return f"Service {self.service}"

    @property
    def expires(self) -> int | None:
        """Return after how many days the bucket's own rule ends what is current, None where a tool does."""
        return self.kept if self.ended == BUCKET else None


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


@dataclass(frozen=True, slots=True)
class DocumentedServices:
    """What the document says, held against the declared services.

    Attributes:
        pairs: each rule with the declared service that it is for.
        unmatched: what only one of the two knows.
    """

    pairs: tuple[tuple[RetentionRule, Service], ...]
    unmatched: tuple[Offender, ...]


def documented_services(path: Path, platform: Platform) -> DocumentedServices:
    """Return the rules of the document with their services; errors as for `documented`."""
    rules = {rule.service: rule for rule in documented(path)}
    names = {one.name for one in platform.services}
    missing = [Offender(f"Service {name}", "is not in the document") for name in names - rules.keys()]
    more = [
        Offender(rules[name].ref, "is in the document and not a declared service")
        for name in rules.keys() - names
    ]
    pairs = tuple((rules[one.name], one) for one in platform.services if one.name in rules)
    return DocumentedServices(pairs, tuple(sorted([*missing, *more], key=lambda one: one.ref)))


def _row(where: str, cells: Mapping[str, str]) -> RetentionRule:
    try:
        lost, kept, locked, removed = (int(cells[name].split()[0]) for name in NUMBERS)
        opened = [
            code for name, cell in cells.items() if name.startswith(OPENED) for code in CODE.findall(cell)
        ]
        key = opened[-1] if opened else ""
        return RetentionRule(cells["service"], float(lost), kept, locked, removed, cells["ended by"], key)
    except (KeyError, ValueError, IndexError):
        raise ProbeError(
            f"{where}: {cells.get('service', '?')}: a number is none", "write days as 30"
        ) from None


def undeclared_retention(
    one: RetentionRule, bucket: DeclaredBucket | None, lost: float | None
) -> list[Offender]:
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


def set_otherwise(
    one: RetentionRule, service: Service, planted: Callable[[Path], Path], trees: Sequence[SourceTree]
) -> list[Offender]:
    """Return where the settings of a service's tool say otherwise than the document how long it keeps.

    Args:
        one: what the document says.
        service: what is backed up; one whose tool ends nothing, or that names no settings, has none to judge.
        planted: returns where a file of the profile is now.
        trees: the manifests that the file may lie in, which name it.

    Raises:
        ProbeError: the file cannot be read.
    """
    if service.backup not in SETTINGS or service.settings is None:
        return []
    name, file = SETTINGS[service.backup], planted(service.settings)
    value, line = setting(file, name)
    home = next((tree for tree in trees if file.is_relative_to(tree.path)), None)
    where = f"{home.ref(file) if home else f'File {file.name}'}:{line}"
    wanted = (str(one.kept), f"{one.kept}d")
    return [] if value in wanted else [Offender(where, f"{name} is {value or 'not set'}, not {one.kept}")]


def setting(path: Path, name: str) -> tuple[str, int]:
    """Return the value of `name=value` or `name: value` in a file and its line; empty and 0 if absent."""
    for number, line in enumerate(text_of(path, path.name).splitlines(), 1):
        if found := re.match(rf"\s*{re.escape(name)}\s*[=:]\s*(\S*)", line):
            return found[1].strip("\"'"), number
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
    one: RetentionRule, made: Iterable[tuple[str, dt.datetime]], late: float, moment: dt.datetime
) -> list[Offender]:
    """Return what a listing still shows although it is no longer kept.

    Args:
        one: what the document says.
        made: the points of the service by name, and since when each is whole.
        late: days that a nightly job, or a rule that runs once a day, may be late.
        moment: now.
    """
    ages = [(ref, (moment - since).total_seconds() / DAY) for ref, since in made]
    why = "{:.0f} days old and still there, the document says {}"
    return [Offender(ref, why.format(age, one.kept)) for ref, age in ages if age > one.kept + late]
