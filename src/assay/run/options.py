"""What the command line asked of a run, and what a run is called."""

from __future__ import annotations

import datetime
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asked for.

    Attributes:
        root: the folder that holds policies/.
        reports: where the output goes.
        stack: the profile's file; None: found by ASSAY_STACK or the running lab.
        tiers: judge these only; none: all.
        controls: judge these only; none: all in scope.
        cases: judge these only, each written `SEC-27:live`; none: all of the tiers and controls.
        prove: plant violations.
        drill: of the drills run this one only; empty: all that are due.
        allow: effects on the platform that are allowed, whatever the profile says.
        workers: xdist runs the tests in several processes.
        collect_only: list what would be judged.
        junit: where a JUnit file goes besides, if pytest was told to write one.
        allure: the folder that Allure results go to, if pytest was told to write them.
    """

    root: Path
    reports: Path
    stack: str | None = None
    tiers: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    prove: bool = False
    drill: str = ""
    allow: tuple[str, ...] = ()
    workers: bool = False
    collect_only: bool = False
    junit: Path | None = None
    allure: Path | None = None


def say(text: str) -> None:
    """Write a line to standard error at once, for the person who waits."""
    sys.stderr.write(f"assay: {text}\n")
    sys.stderr.flush()


def new_run() -> str:
    """Return a new run id: UTC time to the millisecond and four random characters; ids sort by time."""
    now = utc_now()
    return f"{now:%Y%m%dt%H%M%S}{now.microsecond // 1000:03d}z-{secrets.token_hex(2)}"


def utc_now() -> datetime.datetime:
    """Return the time, UTC."""
    return datetime.datetime.now(datetime.UTC)
