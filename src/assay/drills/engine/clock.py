"""Time in drills: one monotonic clock for everything that is compared, and waiting with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from assay.errors import GuardError, ProbeError
from assay.polling import PAUSE_S, poll


T = TypeVar("T")


def now() -> float:
    """Return the monotonic time, in seconds, that kills, answers and returns are stamped with."""
    return time.monotonic()


def time_when(holds: Callable[[], bool], timeout_s: float, every_s: float = PAUSE_S) -> float | None:
    """Return the time at which `holds()` was observed, None if it was not in `timeout_s` seconds."""
    return now() if poll(holds, timeout_s, every_s) else None


def await_true(holds: Callable[[], bool], what: str, timeout_s: float, every_s: float = PAUSE_S) -> None:
    """Wait until `holds()`.

    Raises:
        GuardError: it did not in `timeout_s` seconds; `what` says what was waited for.
    """
    if not poll(holds, timeout_s, every_s):
        raise GuardError(
            f"{what}: not observed in {timeout_s:.0f} s", "look at the stack before the next drill"
        )


def answer_of(read: Callable[[], T], timeout_s: float) -> T:
    """Return what `read()` returns, asked again for `timeout_s` seconds where the platform does not answer.

    Raises:
        ProbeError: it does not answer in that time.
    """
    answers, problems = list[T](), list[ProbeError]()

    def answered() -> bool:
        try:
            answers.append(read())
        except ProbeError as why:
            problems.append(why)
            return False
        return True

    if poll(answered, timeout_s, every_s=1.0):
        return answers[0]
    raise problems[-1]
