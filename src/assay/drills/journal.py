"""The journal of a drill: what must be put back, on disk before anything is broken.

JSON lines, appended and synced one by one. Each line carries a running number, the digest of the line before
it, and its own checksum, so a torn last line (a crash while writing) is told from a damaged file. An undo is
data (a target and the state it must be in), never code, and is safe to repeat.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from assay.errors import GuardError


if TYPE_CHECKING:
    from assay.profile import Profile

BEGIN = "0" * 16
REMEDY = "look at the nodes by hand, then delete the journal"


def folder_of(profile: Profile) -> Path:
    """Return where the drills of a stack keep their journals and ledgers: beside the profile."""
    return profile.file.parent / "drill"


class HeldError(GuardError):
    """Another process holds the journal: a drill is running."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What puts one fault back: bring `target` into `state` (today always `on`)."""

    target: str
    state: str = "on"


class Journal:
    """One journal file, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the journal at `path` and read what is in it.

        Raises:
            HeldError: another drill holds it.
            GuardError: it cannot be written, or it is damaged before its last line.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
            _sync_folder(path.parent)
        except OSError as why:
            raise GuardError(
                f"the drill's journal cannot be written: {why.strerror}",
                "without a way back nothing is broken",
            ) from why
        _lock(self._file)
        self._sequence, self._previous, self._open = 0, BEGIN, dict[int, Undo]()
        self._load()

    @property
    def pending(self) -> list[tuple[int, Undo]]:
        """Return the undos not yet confirmed, newest first: the order in which they are to be done."""
        return sorted(self._open.items(), reverse=True)

    def intend(self, undo: Undo) -> int:
        """Write down how to undo what comes next, durably, and return its number.

        Only then may the fault be made.

        Raises:
            GuardError: it could not be written.
        """
        number = self._append({"kind": "intend", "target": undo.target, "state": undo.state})
        self._open[number] = undo
        return number

    def undone(self, number: int) -> None:
        """Write down that undo `number` was done and observed.

        Raises:
            GuardError: it could not be written.
        """
        self._append({"kind": "undone", "of": number})
        self._open.pop(number, None)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _append(self, entry: dict[str, object]) -> int:
        body = json.dumps({"seq": self._sequence + 1, "prev": self._previous, **entry}, sort_keys=True)
        line = f"{body}\t{zlib.crc32(body.encode()):08x}\n".encode()
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as why:
            raise GuardError(
                f"the drill's journal cannot be written: {why.strerror}",
                "without a way back nothing is broken",
            ) from why
        self._sequence, self._previous = self._sequence + 1, _digest(line)
        return self._sequence

    def _load(self) -> None:
        self._file.seek(0)
        kept, lines = 0, self._file.read().splitlines(keepends=True)
        for number, line in enumerate(lines):
            entry = _parse(line, self._sequence + 1, self._previous)
            if entry is None and number == len(lines) - 1:
                self._file.truncate(kept)
                break
            if entry is None:
                raise GuardError(f"line {number + 1} of the drill's journal is damaged", REMEDY)
            self._take(entry, line)
            kept += len(line)

    def _take(self, entry: dict[str, object], line: bytes) -> None:
        self._sequence, self._previous = self._sequence + 1, _digest(line)
        if entry["kind"] == "intend":
            self._open[self._sequence] = Undo(str(entry["target"]), str(entry["state"]))
        else:
            self._open.pop(int(str(entry["of"])), None)


def _parse(line: bytes, sequence: int, previous: str) -> dict[str, object] | None:
    body, tab, check = line.rpartition(b"\t")
    if not tab or not line.endswith(b"\n") or check.strip() != f"{zlib.crc32(body):08x}".encode():
        return None
    entry: dict[str, object] = json.loads(body)
    return entry if entry.get("seq") == sequence and entry.get("prev") == previous else None


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]


def _lock(file: IO[bytes]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as why:
        file.close()
        raise HeldError("another drill is running on this stack", "wait for it to end") from why


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
