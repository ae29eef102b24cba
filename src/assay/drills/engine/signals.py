"""Signals around what a drill does: they end it by an exception, and never its way back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep SIGINT and SIGTERM waiting while the body runs; the last one is delivered after it."""
    waiting: list[int] = []
    with _heard(lambda number, _: waiting.append(number)):
        yield
    if waiting:
        signal.raise_signal(waiting[-1])


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the body by an exception, so that every `finally` runs.

    Also where SIGINT was ignored before, as a shell does for what it starts in the background.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt("terminated")

    with _heard(stop):
        yield


@contextmanager
def _heard(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Give SIGINT and SIGTERM to `handler` while the body runs; only the main thread hears signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
