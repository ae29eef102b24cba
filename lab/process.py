"""Long-lived programs of the lab, identified by recorded pid and start time, never by name.

Everything that `lab up` starts is in one cgroup, so that `lab down` finds what a killed `lab up` left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from lab.layout import GROUPS, STATE


RUN = STATE / "run"
LOGS = STATE / "log"
HIERARCHY = Path("/sys/fs/cgroup/pids")
GROUP = HIERARCHY / f"{GROUPS}host"


def join_group() -> None:
    """Move this process, and so its future children, into the lab's own cgroup."""
    GROUP.mkdir(exist_ok=True)
    (GROUP / "cgroup.procs").write_text(str(os.getpid()))


def start(name: str, argv: list[str], env: dict[str, str] | None = None, group: bool = True) -> int:
    """Start `argv` detached, log to `log/<name>.log`, record pid and start time, and return the pid.

    A program that is running already is not started again.
    """
    if found := process(name):
        return int(found.pid)
    RUN.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    if group:
        join_group()
    with (LOGS / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )
    record = {"pid": child.pid, "created": psutil.Process(child.pid).create_time(), "argv": argv}
    (RUN / f"{name}.json").write_text(json.dumps(record))
    return child.pid


def process(name: str) -> psutil.Process | None:
    """Return the running process recorded under `name`, or None; a reused pid does not count."""
    path = RUN / f"{name}.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text())
    try:
        found = psutil.Process(record["pid"])
        alive = abs(found.create_time() - record["created"]) < 1 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return found if alive else None


def stop(name: str) -> None:
    """Kill the process recorded under `name`, if it is still the same one, and delete the record."""
    if found := process(name):
        kill_all([found.pid])
    (RUN / f"{name}.json").unlink(missing_ok=True)


def kill_all(pids: list[int], patience: float = 10.0) -> None:
    """Kill these processes and wait until they are gone or zombies; the calling process is spared."""
    targets = [one for pid in pids if pid != os.getpid() and (one := _found(pid))]
    for target in targets:
        with contextlib.suppress(psutil.NoSuchProcess):
            target.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + patience
    while any(_alive(target) for target in targets) and time.monotonic() < deadline:
        time.sleep(0.05)


def _found(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _alive(target: psutil.Process) -> bool:
    try:
        return bool(target.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def members(group: Path) -> list[int]:
    """Return the processes in a cgroup and the groups below it."""
    return [int(pid) for procs in group.rglob("cgroup.procs") for pid in procs.read_text().split()]
