"""Run pytest as a process of its own, and outlive it when a signal ends the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

import click


def pytest_command(stack: str, tiers: Sequence[str], controls: Sequence[str]) -> list[str]:
    """Return the command line that runs `acceptance/` for some tiers and controls; none given: all."""
    command = [sys.executable, "-m", "pytest", "acceptance", "--stack", stack]
    command += [word for tier in tiers for word in ("--tier", tier)]
    return command + [word for control in controls for word in ("--control", control)]


def wait_for(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Return the exit code of `command`, run with `environment` beside this process's own.

    It is a process group of its own, so a terminal's interrupt reaches only this process, which passes a
    signal on exactly once and then waits as long as the command takes to put things back. An interrupted run
    ends this process with 128 plus the signal's number.
    """
    received: list[int] = []
    run = subprocess.Popen(command, env={**os.environ, **environment}, process_group=0)

    def forward(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        run.send_signal(number)

    heard = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, forward) for number in heard}
    try:
        code = run.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        click.echo("interrupted; what the run had changed is put back, or listed by assay drill status")
        sys.exit(128 + received[-1])
    return code
