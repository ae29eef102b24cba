"""Evidence: one JSON line per judgement, on disk before the next one starts, chained by hashes.

A run begins with an opening record and ends with a closing one: lines that are cut off are missed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from assay.errors import AssayError
from assay.run.entries import ALLOWED, Entry, row_of


START = "0" * 64


class EvidenceLog:
    """An append-only file of evidence lines; opened again, it goes on where it ended."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Append to `path`; `identity` (run, stack, actor, ...) goes into every line.

        Raises:
            AssayError: the file is there and its chain is broken, or its run is closed.
        """
        self.path = path
        self.identity = dict(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        chain = verify(read_lines(path) if path.exists() else [])
        if chain.closed:
            raise AssayError(f"{path.name}: the run is closed", "start another run")
        self.sequence, self.head = chain.count, chain.head

    def append(self, entry: Entry) -> None:
        """Write one line of the allowed fields and return when it is on disk."""
        line = {key: value for key, value in {**row_of(entry), **self.identity}.items() if key in ALLOWED}
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
        AssayError: not readable, or a line is not a JSON object.
    """
    try:
        lines = [json.loads(line, parse_int=_number) for line in path.read_bytes().split(b"\n") if line]
    except (OSError, ValueError, RecursionError) as problem:
        raise AssayError(
            f"{path.name}: not an evidence file ({type(problem).__name__})", "name a .jsonl file of reports/"
        ) from problem
    if not all(isinstance(line, dict) for line in lines):
        raise AssayError(
            f"{path.name}: a line is not a JSON object", "the file was changed after it was written"
        )
    return lines


@dataclass(frozen=True, slots=True)
class Chain:
    """An unbroken chain: how many lines, the hash of the last one, and whether that is a closing record."""

    count: int
    head: str
    closed: bool


def verify(lines: Iterable[Mapping[str, Any]]) -> Chain:
    """Return the chain after checking it; the hash of no line at all is 64 zeros.

    Raises:
        AssayError: names the first line that does not follow from the one before it, or that stands behind
            the closing record; or the closing record counts other lines.
    """
    head, count, closed = START, 0, False
    for count, line in enumerate(lines, 1):
        if line.get("prev") != head or line.get("sequence") != count - 1:
            raise AssayError(f"line {count}: does not follow from the line before it", "the file was changed")
        if closed:
            raise AssayError(f"line {count}: stands behind the closing record", "the file was changed")
        closed = line.get("record") == "closing"
        if closed and (line.get("count"), line.get("head")) != (count - 1, head):
            raise AssayError(f"line {count}: closes another run than this one", "the file was changed")
        head = hashlib.sha256(rfc8785.dumps(dict(line))).hexdigest()
    return Chain(count, head, closed)


def _number(text: str) -> int | float:
    """Return a number as canonical JSON holds it: beyond 2**53 there are floats only."""
    number = int(text)
    return number if abs(number) < 2**53 else float(text)
