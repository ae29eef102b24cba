"""Tools that open a backup: whether they do, and nothing of what they print."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from assay.errors import ProbeError


FULL = ("no space left", "disk quota")
LIMIT = 120.0


def disk_full(words: str) -> bool:
    """Return whether `words` say that a disk is full: that judges no backup."""
    return any(one in words.lower() for one in FULL)


def tool_opens(tool: Path, words: Sequence[object], within: float = LIMIT) -> bool:
    """Return whether `tool` does its work; its standard output is thrown away.

    Raises:
        ProbeError: it does not run, not in `within` seconds, or the disk is full.
    """
    argv = [str(tool), *map(str, words)]
    try:
        done = subprocess.run(
            argv, check=False, timeout=within, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ProbeError(
            f"{tool.name} did not end within {within:.0f} s", "is the machine busy, or the backup that large?"
        ) from None
    except OSError as why:
        raise ProbeError(
            f"{tool.name} did not run: {type(why).__name__}", f"set {tool.name} under [tools]"
        ) from why
    if disk_full(done.stderr):
        raise ProbeError(f"{tool.name}: the disk is full", "make room where temporary files lie")
    return done.returncode == 0
