"""Command line tools: run one to its end within a time limit, and return what it came to.

Unless its caller says otherwise a tool gets the environment that any program needs, nothing else: a token in
the suite's own environment never reaches it. A secret is handed over in a file or on standard input, never as
a word of the command line, which every user of the machine can read.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from assay.errors import ProbeError


NO_SPACE = ("no space left", "disk quota")
BACKUP_TIMEOUT_S = 120.0
# What a program needs to run at all, and to reach the network as the rest of the machine does.
INHERITED = frozenset(
    {"PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
     "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool came to: its exit code, and what it wrote to its standard output and error."""

    code: int
    out: bytes = field(repr=False)
    err: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """Return the standard output as text; what is not UTF-8 becomes a replacement character."""
        return self.out.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        """Return the standard error as text."""
        return self.err.decode("utf-8", "replace")

    @property
    def last_line(self) -> str:
        """Return the last line of the standard error, else of the output. Not redacted."""
        lines = (self.error_text.strip() or self.text.strip()).splitlines()
        return lines[-1].strip() if lines else ""


def tool_environment(**more: str) -> dict[str, str]:
    """Return what any program needs of this process's environment, and `more`, which wins."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | more


def run_tool(
    argv: Sequence[object],
    timeout_s: float,
    what: str,
    *,
    remedy: str = "check the program's path in the profile",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | IO[bytes] = b"",
    stdout: IO[bytes] | None = None,
) -> ToolResult:
    """Run a tool to its end and return its result, whatever that is.

    Args:
        argv: the program and its words; no secret among them.
        timeout_s: after so many seconds it is killed, with all that it started.
        what: what is being done, as a message starts with it: `node-1: talosctl version`.
        remedy: what the reader can do if it does not run.
        env: its whole environment; None: that of `tool_environment`.
        cwd: the folder to run it in.
        stdin: what it reads: bytes, or an open file.
        stdout: an open file for its output; the result then has none.

    Raises:
        ProbeError: it does not start, or does not end in time.
    """
    given = stdin if isinstance(stdin, bytes) else b""
    try:
        process = subprocess.Popen(
            [str(word) for word in argv], cwd=cwd, start_new_session=True,
            env=tool_environment() if env is None else env,
            stdin=(subprocess.PIPE if stdin else subprocess.DEVNULL) if isinstance(stdin, bytes) else stdin,
            stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as why:
        raise ProbeError(f"{what}: {Path(str(argv[0])).name} does not run: {why.strerror}", remedy) from None
    try:
        out, err = process.communicate(given or None, timeout_s)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"{what}: no end after {timeout_s:.0f} s", remedy) from None
    finally:
        _end(process)
    return ToolResult(process.returncode, out or b"", err or b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is still there of a tool and of the processes that it started, and close its pipes."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def is_disk_full(words: str) -> bool:
    """Return whether `words` say that a disk is full: that judges no backup."""
    return any(one in words.lower() for one in NO_SPACE)


def tool_opens(tool: Path, words: Sequence[object], timeout_s: float = BACKUP_TIMEOUT_S) -> bool:
    """Return whether `tool` opens a backup; its standard output is thrown away.

    Raises:
        ProbeError: it does not run, does not end in time, or the disk is full.
    """
    with Path(os.devnull).open("wb") as nowhere:
        done = run_tool(
            [tool, *map(str, words)], timeout_s, tool.name, stdout=nowhere,
            remedy=f"set {tool.name} under [tools]; is the machine busy, or the backup that large?",
        )  # fmt: skip
    if is_disk_full(done.error_text):
        raise ProbeError(f"{tool.name}: the disk is full", "make room where temporary files lie")
    return done.code == 0
