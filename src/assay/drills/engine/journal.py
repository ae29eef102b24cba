"""The journal of drills: their stages, and what must be put back, on disk before anything is changed.

JSON lines, appended and synced one by one. Each line carries a running number, the digest of the line before
it, and its own checksum, so a torn last line (a crash while writing) differs from a damaged file. An undo is
data (a driver and a target), never code, and is safe to repeat.
"""

from __future__ import annotations

import enum
import fcntl
import hashlib
import json
import os
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from assay.config.profile import Profile
from assay.errors import GuardError


BEGIN = "0" * 16
REMEDY = "look at the stack by hand, then delete the journal"
# What earlier releases called a stage.
FORMER = {"needs-human": "manual-intervention"}


class Stage(enum.StrEnum):
    """How far a drill is."""

    CLOSED = "closed"
    ARMED = "armed"
    ACTING = "acting"
    RETURNING = "returning"
    MANUAL_INTERVENTION = "manual-intervention"


# Nothing is changed before a drill is armed, and nothing more once it is returning; a killed drill returns.
NEXT: Mapping[Stage, frozenset[Stage]] = {
    Stage.CLOSED: frozenset({Stage.ARMED}),
    Stage.ARMED: frozenset({Stage.ACTING, Stage.CLOSED}),
    Stage.ACTING: frozenset({Stage.ACTING, Stage.RETURNING}),
    Stage.RETURNING: frozenset({Stage.RETURNING, Stage.ACTING, Stage.ARMED, Stage.MANUAL_INTERVENTION}),
    Stage.MANUAL_INTERVENTION: frozenset({Stage.RETURNING}),
}


def path_of(profile: Profile) -> Path:
    """Return where the journal of a stack's drills lies."""
    return folder_of(profile) / "journal.jsonl"


def folder_of(profile: Profile) -> Path:
    """Return where the drills of a stack keep their journal and ledgers: beside the profile."""
    return profile.file.parent / "drill"


class HeldError(GuardError):
    """Another process holds the journal: a drill is running."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What puts one change back: `driver` brings `target` into its old state."""

    driver: str
    target: str

    @property
    def ref(self) -> str:
        """Return `driver target`."""
        return f"{self.driver} {self.target}"


@dataclass(slots=True)
class JournalState:
    """What a journal says: the stage, since when (seconds since 1970), what is not put back by its number.

    `slowest_return_s` is the longest that putting back a change ever took.
    """

    stage: Stage = Stage.CLOSED
    since: float = 0.0
    open: dict[int, Undo] = field(default_factory=dict)
    sequence: int = 0
    previous: str = BEGIN
    slowest_return_s: float = 0.0

    @property
    def pending(self) -> list[tuple[int, Undo]]:
        """Return the undos not yet confirmed, newest first: the order in which they are to be done."""
        return sorted(self.open.items(), reverse=True)

    def takes(self, stage: Stage) -> bool:
        """Return whether `stage` may come next."""
        return stage in NEXT[self.stage]

    def take(self, entry: Mapping[str, object], line: bytes) -> None:
        """Go on by one line.

        Raises:
            ValueError: the line does not follow.
        """
        self.sequence, self.previous = self.sequence + 1, _digest(line)
        if entry["kind"] == "undone":
            self.open.pop(int(str(entry["of"])), None)
            self.slowest_return_s = max(self.slowest_return_s, float(str(entry["at"])) - self.since)
            return
        stage = (
            Stage.ACTING
            if entry["kind"] == "intend"
            else Stage(FORMER.get(str(entry["stage"]), str(entry["stage"])))
        )
        if not self.takes(stage):
            raise ValueError(f"{stage} does not follow {self.stage}")
        if entry["kind"] == "intend":
            self.open[self.sequence] = Undo(str(entry["driver"]), str(entry["target"]))
        self.stage, self.since = stage, float(str(entry["at"]))


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
            raise _unwritable(why) from why
        _lock(self._file)
        try:
            self.state, whole = read_journal(path)
        except GuardError:
            self.close()
            raise
        self._file.truncate(whole)

    def enter(self, stage: Stage) -> None:
        """Go on to `stage`, durably.

        Raises:
            GuardError: it does not follow the stage before, or could not be written.
        """
        self._append(stage, {"kind": "stage", "stage": stage.value})

    def intend(self, undo: Undo) -> int:
        """Write down how to undo what comes next, durably, and return its number.

        Only then may the change be made.

        Raises:
            GuardError: the drill is not armed, or it could not be written.
        """
        self._append(Stage.ACTING, {"kind": "intend", "driver": undo.driver, "target": undo.target})
        return self.state.sequence

    def undone(self, number: int) -> None:
        """Write down that undo `number` was done and observed.

        Raises:
            GuardError: it could not be written.
        """
        self._append(None, {"kind": "undone", "of": number})

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _append(self, stage: Stage | None, entry: dict[str, object]) -> None:
        if stage is not None and not self.state.takes(stage):
            raise GuardError(f"a drill that is {self.state.stage} may not be {stage}", "assay drill rollback")
        links = {"seq": self.state.sequence + 1, "prev": self.state.previous, "at": round(time.time(), 3)}
        body = json.dumps({**links, **entry}, sort_keys=True)
        line = f"{body}\t{zlib.crc32(body.encode()):08x}\n".encode()
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as why:
            raise _unwritable(why) from why
        self.state.take({**links, **entry}, line)


def read_journal(path: Path) -> tuple[JournalState, int]:
    """Return what the journal at `path` says, and up to which byte; may be asked while a drill runs.

    Raises:
        GuardError: it is damaged before its last line, or cannot be read.
    """
    state, kept = JournalState(), 0
    try:
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    except OSError as why:
        raise GuardError(f"the drill's journal cannot be read: {why.strerror}", REMEDY) from why
    for number, line in enumerate(lines, 1):
        entry = _parse(line, state.sequence + 1, state.previous)
        if entry is None and number == len(lines):
            break
        try:
            state.take(entry or {}, line)
        except (KeyError, ValueError) as why:
            raise GuardError(f"line {number} of the drill's journal is damaged", REMEDY) from why
        kept += len(line)
    return state, kept


def _parse(line: bytes, sequence: int, previous: str) -> dict[str, object] | None:
    body, tab, check = line.rpartition(b"\t")
    if not tab or not line.endswith(b"\n") or check.strip() != f"{zlib.crc32(body):08x}".encode():
        return None
    try:
        entry = json.loads(body)
    except (ValueError, RecursionError):
        return None
    follows = isinstance(entry, dict) and (entry.get("seq"), entry.get("prev")) == (sequence, previous)
    return entry if follows else None


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]


def _unwritable(why: OSError) -> GuardError:
    return GuardError(
        f"the drill's journal cannot be written: {why.strerror}", "without a way back nothing is broken"
    )


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
