"""Time in drills: one monotonic clock for everything that is compared, and waiting with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable

from assay.errors import GuardError


def now() -> float:
    """Return the monotonic time, in seconds, that kills, answers and returns are stamped with."""
    return time.monotonic()


def await_true(holds: Callable[[], bool], what: str, within: float, every: float = 0.5) -> float:
    """Return how many seconds it took until `holds()`.

    Raises:
        GuardError: it did not in `within` seconds; `what` says what was waited for.
    """
    begin = now()
    while not holds():
        if now() - begin > within:
            raise GuardError(
                f"{what}: not seen within {within:.0f} s", "look at the stack before the next drill"
            )
        time.sleep(every)
    return now() - begin
