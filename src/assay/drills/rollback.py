"""Put back what a drill left: by hand, at the next drill's start, or by a watchdog of its own.

The watchdog is a process in a session of its own. The drill holds the lock of its journal for as long as it
lives, however it ends; whoever gets the lock next finds in the journal what is still broken. A drill that
never ends is told to, and killed if it does not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from assay.drills.clock import now
from assay.drills.fault import Driver, Launcher, resume
from assay.drills.journal import HeldError, Journal, folder_of
from assay.errors import GuardError


if TYPE_CHECKING:
    from assay.profile import Profile

LIMIT = 1800.0
GRACE = 420.0
EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Way:
    """How the faults of one journal are put back: `way` gives a driver, and what tells that it worked."""

    journal: str
    way: Callable[[Profile], tuple[Driver, Callable[[str], bool]]]


def _nodes(profile: Profile) -> tuple[Driver, Callable[[str], bool]]:
    from assay.drills.controlplane import Drill

    return Launcher(profile.need_text("drill.launcher")), Drill.from_profile(profile).is_up


def _disks(profile: Profile) -> tuple[Driver, Callable[[str], bool]]:
    from assay.drills.disks import Disks

    disks = Disks.from_profile(profile)
    return disks, disks.observed


NODES = Way("journal.jsonl", _nodes)
DISKS = Way("restore-journal.jsonl", _disks)
WAYS = (NODES, DISKS)


def path_of(profile: Profile, way: Way) -> Path:
    """Return where the journal lies."""
    return folder_of(profile) / way.journal


@contextmanager
def _journal(profile: Profile, way: Way) -> Iterator[Journal | None]:
    """Hold the journal for the body; None where no drill ever ran."""
    path = path_of(profile, way)
    if not path.exists():
        yield None
        return
    journal = Journal(path)
    try:
        yield journal
    finally:
        journal.close()


def left(profile: Profile, way: Way) -> list[str]:
    """Return what the journal says is still broken, newest first; nothing where no drill ever ran.

    Raises:
        HeldError: a drill is running.
        GuardError: the journal is damaged.
    """
    with _journal(profile, way) as journal:
        return [undo.target for _, undo in journal.pending] if journal else []


def roll_back(profile: Profile, way: Way) -> list[str]:
    """Put back what the journal says is still broken and return it.

    Raises:
        HeldError: a drill is running.
        GuardError: something did not come back, or the journal is damaged.
    """
    with _journal(profile, way) as journal:
        return resume(journal, *way.way(profile)) if journal and journal.pending else []


@contextmanager
def watched(profile: Profile, way: Way, limit: float = LIMIT) -> Iterator[None]:
    """Keep a watchdog beside the body, which holds the journal; it ends with the body.

    Raises:
        GuardError: it does not start, so nothing is broken.
    """
    me = psutil.Process()
    argv = [
        sys.executable, "-m", "assay.cli", "drill", "rollback", "--stack", str(profile.file),
        "--journal", way.journal, "--after", f"{me.pid}:{me.create_time()}", "--limit", str(limit),
    ]  # fmt: skip
    log = path_of(profile, way).with_suffix(".watchdog.log")
    try:
        with log.open("ab") as out:
            dog = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
    except OSError as why:
        raise GuardError(
            f"the watchdog does not start: {why.strerror}", "without it nothing is broken"
        ) from why
    try:
        yield
    finally:
        dog.terminate()
        dog.wait()


def after(holder: str, limit: float) -> None:
    """Return when the drill has ended; after `limit` seconds it is told to end, and killed if it does not.

    Args:
        holder: `PID:start time` of the drill's process; another process of that number is not it.
        limit: seconds.
    """
    number, _, born = holder.partition(":")
    end = now() + limit
    while _lives(int(number), float(born)) and now() < end:
        time.sleep(EVERY)
    for deed in (signal.SIGTERM, signal.SIGKILL):
        if not _lives(int(number), float(born)):
            return
        with suppress(ProcessLookupError):
            os.kill(int(number), deed)
        end = now() + GRACE
        while _lives(int(number), float(born)) and now() < end:
            time.sleep(EVERY)


def _lives(number: int, born: float) -> bool:
    try:
        process = psutil.Process(number)
        return process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


__all__ = ["DISKS", "NODES", "WAYS", "HeldError", "after", "left", "path_of", "roll_back", "watched"]
