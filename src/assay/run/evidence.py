"""Evidence.

One JSON line per judgement, on disk before the next one starts, each tied to the one before it by its hash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import rfc8785

from assay.errors import AssayError


START = "0" * 64
LONGEST_TEXT = 2000
LONGEST_LIST = 500


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one test came to.

    Times are ISO 8601 UTC; offenders are (name, why), unread parts (name, why, remedy), numbers
    (metric, value, unit).
    """

    control: str
    digest: str
    owner: str
    tier: str
    test: str
    verdict: str
    reason: str = ""
    remedy: str = ""
    start: str = ""
    end: str = ""
    seconds: float = 0.0
    looked_at: int = 0
    expected: int = 0
    offenders: tuple[tuple[str, str], ...] = ()
    unread: tuple[tuple[str, str, str], ...] = ()
    numbers: tuple[tuple[str, float, str], ...] = ()
    limits: tuple[tuple[str, float, str], ...] = ()
    asked: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    standins: tuple[str, ...] = ()
    waived: str = ""
    violation: str = ""
    planted: str = ""
    caught: bool = False
    named: bool = False

    def row(self) -> dict[str, Any]:
        """Return the judgement as plain values, each text and list cut to its longest."""
        return {key: _plain(value) for key, value in asdict(self).items()}


KNOWN = tuple(entry.name for entry in fields(Judgement))
IDENTITY = (
    "run",
    "kind",
    "stack",
    "stack_kind",
    "cluster_uid",
    "authority",
    "version",
    "revisions",
    "actor",
    "suite",
    "allowed",
)
ALLOWED = frozenset(("sequence", "prev", *KNOWN, *IDENTITY))


def judgement_from(row: Mapping[str, Any]) -> Judgement:
    """Return the judgement that a row or an evidence line holds."""
    return Judgement(**{key: _tupled(row[key]) for key in KNOWN if key in row})


class EvidenceLog:
    """An append-only file of evidence lines; opened again, it goes on where it ended."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Append to `path`; `identity` (run, stack, actor, ...) goes into every line."""
        self.path = path
        self.identity = dict(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = read_lines(path) if path.exists() else []
        self.sequence, self.head = verify(lines)

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one line of the allowed fields and return when it is on disk."""
        line = {key: value for key, value in {**row, **self.identity}.items() if key in ALLOWED}
        line |= {"sequence": self.sequence, "prev": self.head}
        raw = rfc8785.dumps(line)
        with self.path.open("ab") as out:
            out.write(raw + b"\n")
            out.flush()
            os.fsync(out.fileno())
        self.sequence += 1
        self.head = hashlib.sha256(raw).hexdigest()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of an evidence file.

    Raises:
        AssayError: not readable, or a line is no JSON object.
    """
    try:
        lines = [json.loads(line, parse_int=_number) for line in path.read_bytes().split(b"\n") if line]
    except (OSError, ValueError, RecursionError) as problem:
        raise AssayError(
            f"{path.name}: is no evidence file: {problem}", "name a .jsonl file of reports/"
        ) from problem
    if not all(isinstance(line, dict) for line in lines):
        raise AssayError(
            f"{path.name}: a line is no JSON object", "the file was changed after it was written"
        )
    return lines


def verify(lines: Iterable[Mapping[str, Any]]) -> tuple[int, str]:
    """Return (number of lines, hash of the last one) after checking the chain; the hash of none is 64 zeros.

    Raises:
        AssayError: names the first line that does not follow from the one before it.
    """
    head, count = START, 0
    for count, line in enumerate(lines, 1):
        if line.get("prev") != head or line.get("sequence") != count - 1:
            raise AssayError(f"line {count}: does not follow from the line before it", "the file was changed")
        head = hashlib.sha256(rfc8785.dumps(dict(line))).hexdigest()
    return count, head


def _number(text: str) -> int | float:
    """Return a number as canonical JSON holds it: beyond 2**53 there are floats only."""
    number = int(text)
    return number if abs(number) < 2**53 else float(text)


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]} ... {len(value)} characters"
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value[:LONGEST_LIST]]
    return value


def _tupled(value: object) -> Any:  # noqa: ANN401 - JSON
    return tuple(_tupled(entry) for entry in value) if isinstance(value, list | tuple) else value
