"""The end of a run is bounded: what hangs after everything was judged must not hang those who wait for it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from assay.run.options import say


ENDING_S = 120.0


class Ending:
    """The time that a process has to end once everything was judged.

    What can hold it up is a thread that waits for good and that the interpreter waits for. After the time the
    process says which threads are where, and ends.
    """

    def __init__(self, code: Callable[[], int], seconds: float = ENDING_S) -> None:
        """Start the time; `code` returns what the process ends with by then."""
        self.code, self.seconds, self.released = code, seconds, False
        timer = threading.Timer(seconds, self._over)
        timer.daemon = True
        timer.start()

    def release(self) -> None:
        """Note that pytest is done: from now on only the end of the interpreter itself is waited for."""
        self.released = True

    def _over(self) -> None:
        # The main thread counts as ended once the interpreter waits for the others; before that, and after
        # pytest, it belongs to the program that had called pytest.
        if self.released and threading.main_thread().is_alive():
            return
        say(
            f"everything was judged, but the process did not end in {self.seconds:.0f} s: {waiting_threads()}"
            " - it is ended now, the verdicts on disk stand; please report this line"
        )
        sys.stdout.flush()
        os._exit(self.code())


def waiting_threads() -> str:
    """Return every other thread of this process and where it is: `MainThread at selectors.py:415`."""
    frames, own = sys._current_frames(), threading.get_ident()
    return ", ".join(
        f"{one.name} at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        for one in threading.enumerate()
        if one.ident != own and (frame := frames.get(one.ident or 0)) is not None
    )
