"""Ask until something is so, with a limit: the one way in which the suite waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar


T = TypeVar("T")
PAUSE_S = 0.5


def poll(observe: Callable[[], T], timeout_s: float, every_s: float = PAUSE_S) -> T:
    """Return the first true thing that `observe` returns, or the last one it returned when time was up.

    It is asked at least once, and once more when the time has passed: what came true during the last pause
    counts.

    Args:
        observe: asks; what it raises ends the waiting.
        timeout_s: seconds to go on asking.
        every_s: seconds between two questions.
    """
    end = time.monotonic() + timeout_s
    while True:
        last = time.monotonic() >= end
        found = observe()
        if found or last:
            return found
        time.sleep(max(0.0, min(every_s, end - time.monotonic())))
