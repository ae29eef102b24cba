"""Time in drills: one monotonic clock for everything that is compared, and waiting with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable

from assay.errors import GuardError


def now() -> float:
    """Return the monotonic time, in seconds, that kills, answers and returns are stamped with."""
    return time.monotonic()


def seen(holds: Callable[[], bool], within: float, every: float = 0.5) -> float | None:
    """Return the time at which `holds()` was seen, None if it was not in `within` seconds."""
    end = now() + within
    while not holds():
        if now() > end:
            return None
        time.sleep(every)
    return now()


def await_true(holds: Callable[[], bool], what: str, within: float, every: float = 0.5) -> None:
    """Wait until `holds()`.

    Raises:
        GuardError: it did not in `within` seconds; `what` says what was waited for.
    """
    if seen(holds, within, every) is None:
        raise GuardError(f"{what}: not seen within {within:.0f} s", "look at the stack before the next drill")
