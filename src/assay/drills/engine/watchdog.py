"""The watchdog of a drill: when the drill is gone, however it ended, it puts back what is still changed.

It is a process in a session of its own. The drill holds the lock of its journal for as long as it lives; the
next process that gets the lock finds in the journal what is not back. A drill that does not end gets SIGTERM,
and SIGKILL if that does not help.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from assay.config.profile import Profile
from assay.drills.engine.journal import path_of
from assay.errors import GuardError
from assay.polling import poll


DRILL_MAX_S = 1800.0
TERM_GRACE_S = 420.0
WATCH_PERIOD_S = 0.5


@contextmanager
def watched(profile: Profile, limit: float, grace: float) -> Iterator[None]:
    """Run a watchdog while the body runs, which holds the journal.

    Args:
        profile: the stack.
        limit: seconds after which the drill is ended.
        grace: seconds that it then has to put back what it changed.

    Raises:
        GuardError: it does not start, so nothing is broken.
    """
    me = psutil.Process()
    argv = [
        sys.executable, "-m", "assay.cli", "drill", "rollback", "--stack", str(profile.file),
        "--after", f"{me.pid}:{me.create_time()}", "--limit", str(limit), "--grace", str(grace),
    ]  # fmt: skip
    log = path_of(profile).with_suffix(".watchdog.log")
    try:
        with log.open("ab") as out:
            dog = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
    except OSError as why:
        raise GuardError(
            f"the watchdog does not start: {why.strerror}", "without it nothing is changed"
        ) from why
    try:
        yield
    finally:
        dog.terminate()
        dog.wait()


def after(holder: str, limit: float, grace: float = TERM_GRACE_S) -> None:
    """Return when the drill has ended; after `limit` seconds it gets SIGTERM, then SIGKILL.

    Args:
        holder: `PID:start time` of the drill's process; another process of that number is not it.
        limit: seconds.
        grace: seconds between SIGTERM and SIGKILL.
    """
    number, _, born = holder.partition(":")

    def ended() -> bool:
        return not _lives(int(number), float(born))

    if poll(ended, limit, WATCH_PERIOD_S):
        return
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(int(number), ending)
        if poll(ended, grace, WATCH_PERIOD_S):
            return


def _lives(number: int, born: float) -> bool:
    try:
        process = psutil.Process(number)
        return process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
