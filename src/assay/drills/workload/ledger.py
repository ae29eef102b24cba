"""A client outside that writes all the time and keeps a record of what it was promised.

Each write makes one small ConfigMap of its own name through the API's public address. The record of a write
is on disk before it is sent and after its answer came: a time-out is `info` (unknown), never `fail`.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from assay.drills.engine.clock import now
from assay.drills.workload.verdict import FAIL, INFO, OK, Op, write_gap
from assay.errors import GuardError


Write = Callable[[str], str]


class OperationLog:
    """Writers on threads, each its own series of keys; the record lies in one file."""

    def __init__(self, path: Path, writers: list[Write], every: float = 0.3) -> None:
        """Record into `path`.

        Each of `writers` writes one key and returns its outcome, once in `every` seconds.

        Raises:
            GuardError: the record cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w")
        except OSError as why:
            raise GuardError(
                f"the ledger cannot be written: {why.strerror}", "free space where the profile lies"
            ) from why
        self._every, self._stop, self._lock = every, threading.Event(), threading.Lock()
        self._ops: list[Op] = []
        self._broken: list[Exception] = []
        self._threads = [
            threading.Thread(target=self._write_on, args=(i, w), daemon=True) for i, w in enumerate(writers)
        ]

    def start(self) -> None:
        """Begin to write."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[Op]:
        """Stop writing and return every write there was, in the order of their answers.

        Raises:
            GuardError: a writer died, so the record is not whole.
        """
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=30)
        self._file.close()
        if self._broken or any(thread.is_alive() for thread in self._threads):
            raise GuardError(
                f"a ledger writer died: {self._broken[:1]}", "the record is not whole: run the drill again"
            )
        return sorted(self._ops, key=lambda op: op.end)

    def acked_since(self, moment: float) -> int:
        """Return how many writes sent after `moment` have been acknowledged so far."""
        with self._lock:
            return sum(op.outcome == OK and op.start > moment for op in self._ops)

    def longest_gap(self, killed: float, until: float) -> float:
        """Return the longest time without an acknowledgement in that window so far, in seconds."""
        with self._lock:
            return write_gap(sorted(op.end for op in self._ops if op.outcome == OK), killed, until)

    def _write_on(self, number: int, write: Write) -> None:
        count = 0
        try:
            while not self._stop.is_set():
                count += 1
                self._one(f"w{number}-{count:06d}", write)
        except Exception as why:
            self._broken.append(why)
            raise

    def _one(self, key: str, write: Write) -> None:
        start = now()
        self._record({"key": key, "at": start, "what": "invoke"})
        outcome = write(key)
        op = Op(key, start, now(), outcome)
        self._record({"key": key, "at": op.end, "what": outcome})
        with self._lock:
            self._ops.append(op)
        time.sleep(max(0.0, start + self._every - op.end))

    def _record(self, line: dict[str, object]) -> None:
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def outcome_of(status: int) -> str:
    """Return what an HTTP status says about a write.

    2xx acknowledged, 4xx surely not written, all else unknown.

    A proxy may send 408 and 429 after the write went through, and 409 may be our own earlier try: unknown.
    """
    if 200 <= status < 300:
        return OK
    return FAIL if 400 <= status < 500 and status not in {408, 409, 429} else INFO
