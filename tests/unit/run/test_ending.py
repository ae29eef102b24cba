"""The bounded end of a run: real processes that hang where a run could."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from assay.run import ending
from assay.run.ending import Ending, waiting_threads


STUCK = """
import threading
from assay.run.ending import Ending

def waits_for_good():
    threading.Event().wait()

limit = Ending(lambda: 10, 1.0)
{then}
"""
THREAD = "limit.release(); threading.Thread(target=waits_for_good, name='stuck').start()"


def run(then: str) -> subprocess.CompletedProcess[str]:
    """Return what a process that does `then` came to."""
    argv = [sys.executable, "-c", STUCK.format(then=then)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("then", "where"), [(THREAD, "stuck at threading.py"), ("waits_for_good()", "MainT")]
)
def test_what_hangs_at_the_end_is_said_and_ended(then: str, where: str) -> None:
    """After pytest, in a thread that the interpreter joins; or before, in pytest itself."""
    done = run(then)
    assert done.returncode == 10
    assert "did not end in 1 s" in done.stderr
    assert where in done.stderr


def test_a_process_that_ends_is_left_alone() -> None:
    assert run("limit.release()").stderr == ""


def test_a_program_that_called_pytest_and_goes_on_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(ending.os, "_exit", ended.append)
    limit = Ending(lambda: 4, 3600.0)
    limit.release()
    limit._over()
    assert ended == []


def test_threads_are_named_with_their_place() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="asks-a-node")
    thread.start()
    assert "asks-a-node at threading.py:" in waiting_threads()
    stop.set()
    thread.join()
