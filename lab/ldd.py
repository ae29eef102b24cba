"""Which shared libraries a program of this machine needs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


ENGLISH = {**os.environ, "LC_ALL": "C"}


class MissingLibraryError(RuntimeError):
    """A shared library that a program needs is not installed; the message names both."""


def needed(program: Path) -> list[Path]:
    """Return the shared libraries and the loader of `program`, as the loader names them.

    A static program, or a script, needs none.

    Raises:
        MissingLibraryError: one is not installed, or the program itself is not there.
    """
    if not program.is_file():
        raise MissingLibraryError(f"{program}: not installed")
    done = subprocess.run(["ldd", str(program)], env=ENGLISH, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "not a dynamic executable" not in done.stdout + done.stderr:
        raise MissingLibraryError(f"{program}: ldd cannot read it: {done.stderr.strip()}")
    return read(done.stdout, str(program))


def read(listed: str, program: str) -> list[Path]:
    """Return the paths in the output of `ldd` for `program`.

    Raises:
        MissingLibraryError: a line says that a library was not found.
    """
    lines = [line.split() for line in listed.splitlines()]
    gone = [words[0] for words in lines if words[-2:] == ["not", "found"]]
    if gone:
        raise MissingLibraryError(f"{program}: not installed: {', '.join(gone)}")
    return [Path(word) for words in lines for word in [w for w in words if w.startswith("/")][:1]]
