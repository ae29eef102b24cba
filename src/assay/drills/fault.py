"""Losing a node and getting it back.

Undo on disk before the act, undo on every way out, undo confirmed by observation.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from assay.drills.journal import Journal, Undo
from assay.errors import GuardError


class Driver(Protocol):
    """What can lose a node and bring it back. `ensure_on` may be repeated; a running node is left alone."""

    def lose(self, node: str, /) -> object:
        """Lose the node at once, as by a power cut of the machine."""

    def ensure_on(self, node: str, /) -> None:
        """Bring the node back with the disks it had."""


class Launcher:
    """The driver that runs the profile's launcher.

    `<launcher> node kill NAME` and `<launcher> node start NAME`.
    """

    def __init__(self, command: str, seconds: float = 90.0) -> None:
        """Drive `command`, split as a shell would; `seconds` is the time limit of one call."""
        self._command = shlex.split(command)
        self._seconds = seconds

    def lose(self, node: str) -> None:
        """Kill the node's first process, and so the node.

        Raises:
            GuardError: the launcher failed.
        """
        self._run("kill", node)

    def ensure_on(self, node: str) -> None:
        """Start the node on its old volumes.

        Raises:
            GuardError: the launcher failed.
        """
        self._run("start", node)

    def do(self, verb: str, node: str) -> None:
        """Run `<launcher> node <verb> <node>`.

        Raises:
            GuardError: the launcher failed.
        """
        self._run(verb, node)

    def _run(self, verb: str, node: str) -> None:
        try:
            done = subprocess.run(
                [*self._command, "node", verb, node],
                capture_output=True,
                text=True,
                timeout=self._seconds,
                check=False,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, subprocess.TimeoutExpired) as why:
            raise GuardError(
                f"the launcher did not {verb} {node}: {type(why).__name__}", "check launcher under [drill]"
            ) from why
        if done.returncode:
            words = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise GuardError(
                f"the launcher did not {verb} {node}: {' '.join(words)[:200]}", "start the node by hand"
            )


@contextmanager
def lost(journal: Journal, driver: Driver, node: str, observed_on: Callable[[str], bool]) -> Iterator[None]:
    """Lose `node` for the time of the body and bring it back on every way out, an interrupt included.

    Raises:
        GuardError: the journal could not be written (then nothing was broken), or the node did not come back.
    """
    number = journal.intend(Undo(node))
    try:
        driver.lose(node)
        yield
    finally:
        with uninterrupted():
            put_back(journal, driver, number, Undo(node), observed_on)


def put_back(
    journal: Journal,
    driver: Driver,
    number: int,
    undo: Undo,
    observed_on: Callable[[str], bool],
    tries: int = 3,
) -> None:
    """Do one undo, observe that it worked, and only then strike it off the journal.

    Raises:
        GuardError: it did not work; it stays in the journal for the next start.
    """
    for left in range(tries - 1, -1, -1):
        try:
            driver.ensure_on(undo.target)
            break
        except GuardError:
            if not left:
                raise
    if not observed_on(undo.target):
        raise GuardError(f"{undo.target} did not come back", "start it by hand; the journal keeps the undo")
    journal.undone(number)


def resume(journal: Journal, driver: Driver, observed_on: Callable[[str], bool]) -> list[str]:
    """Put back whatever an earlier, killed drill left broken, newest first, and return the targets.

    Raises:
        GuardError: one of them did not come back; all were tried.
    """
    done, failed = [], []
    for number, undo in journal.pending:
        try:
            put_back(journal, driver, number, undo, observed_on)
            done.append(undo.target)
        except GuardError as why:
            failed.append(str(why))
    if failed:
        raise GuardError(
            f"an earlier drill is not undone: {'; '.join(failed)}", "a person must look at the nodes"
        )
    return done


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep SIGINT and SIGTERM waiting while the body runs; the last one is delivered after it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []

    def keep(number: int, _frame: FrameType | None) -> None:
        waiting.append(number)

    before = {number: signal.signal(number, keep) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if waiting:
        signal.raise_signal(waiting[-1])


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the body by an exception, so that every `finally` runs.

    Also where SIGINT was ignored before, as a shell does for what it starts in the background.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt("terminated")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
