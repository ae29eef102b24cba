"""Remove every process, cgroup, network namespace, link and mount of the lab.

They are found on the host itself, not only in the lab's own records.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import psutil

from lab import network, process
from lab.layout import BRIDGE, GROUPS, LINKS, STATE


CGROUPS = Path("/sys/fs/cgroup")


def groups() -> list[Path]:
    """Return the lab's cgroups in all hierarchies, deepest first."""
    tops = [p for p in CGROUPS.glob(f"*/{GROUPS}*") if p.is_dir()]
    every = [d for top in tops for d in (top, *(p for p in top.rglob("*") if p.is_dir()))]
    return sorted(every, key=lambda p: len(p.parts), reverse=True)


def clear() -> None:
    """Stop the lab: kill its processes, remove cgroups, namespaces and links. Volumes and caches stay."""
    names = [record.stem for record in process.RUN.glob("*.json")]
    process.kill_all([found.pid for found in map(process.process, names) if found])
    for name in names:
        process.stop(name)
    for _ in range(20):
        pids = {pid for group in groups() for pid in process.members(group) if psutil.pid_exists(pid)}
        if not pids:
            break
        process.kill_all(sorted(pids))
    _remove_groups()
    network.remove()
    (STATE / "stack.toml").unlink(missing_ok=True)


def _remove_groups() -> None:
    for _ in range(50):
        left = groups()
        if not left:
            return
        for group in left:
            try:
                group.rmdir()
            except OSError:
                time.sleep(0.02)
    raise RuntimeError(f"{len(groups())} cgroups could not be removed, first {groups()[0]}")


def leftovers() -> list[str]:
    """Return what is left of the lab on the host: processes, namespaces, cgroups, links, mounts."""
    found = [f"cgroup {g}" for g in groups()]
    found += [f"process {pid}" for g in groups() for pid in process.members(g)]
    found += [f"network namespace {ns}" for ns in network.namespaces()]
    found += [
        f"link {p.name}"
        for p in Path("/sys/class/net").iterdir()
        if p.name == BRIDGE or p.name.startswith(LINKS)
    ]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return found + [f"mount {line.split()[4]}" for line in mounts if line.split()[4].startswith(f"{STATE}/")]


def wipe() -> None:
    """Delete the state of a lab that is down: volumes, configurations, logs, credentials."""
    shutil.rmtree(STATE, ignore_errors=True)
