"""The lab leaves nothing behind.

`lab up` killed without warning, at several moments, and `lab down` finds all of it.

A second lab with its own names and addresses is used, so that a running one is not disturbed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


PROJECT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "ASSAY_LAB_INSTANCE": "x"}
NAME = "assayx"
MOMENTS = {
    "network made": "root file system",
    "nodes starting": "Talos nodes",
    "cluster forming": "API through",
}


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Return the finished `lab` command of the second lab."""
    argv = [sys.executable, "-m", "lab", *words]
    return subprocess.run(
        argv, cwd=PROJECT, env=ENV, capture_output=True, text=True, timeout=120, check=False
    )


def traces() -> list[str]:
    """Return what of the second lab the host still shows.

    Written apart from the lab's own search on purpose.
    """
    spaces = [
        n["name"]
        for n in json.loads(subprocess.check_output(["ip", "-j", "netns", "list"], text=True) or "[]")
    ]
    found = [f"netns {s}" for s in spaces if s.startswith(f"{NAME}-")]
    found += [
        f"link {p.name}" for p in Path("/sys/class/net").iterdir() if p.name.startswith((f"{NAME}0", "avx-"))
    ]
    found += [f"cgroup {p}" for p in Path("/sys/fs/cgroup").glob(f"*/{NAME}-lab-*")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [f"mount {line}" for line in mounts if f"/{NAME}-lab" in line]
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False).stdout
    found += [f"rule {line}" for line in rules.splitlines() if "10.97.0." in line or NAME in line]
    return found + [f"process {pid}" for pid in _processes()]


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
        except OSError:
            continue
        marks = (f"{NAME}-lab".encode(), b"ASSAY_LAB_INSTANCE=x")
        if any(mark in text for mark in marks) and int(path.name) != os.getpid():
            found.append(path.name)
    return found


@pytest.mark.parametrize("step", MOMENTS.values(), ids=MOMENTS)
def test_a_killed_up_leaves_nothing_after_down(step: str, tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    with log.open("w") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "lab", "up"], cwd=PROJECT, env=ENV, stdout=out, stderr=out
        )
    deadline = time.monotonic() + 240
    while step not in log.read_text() and time.monotonic() < deadline and up.poll() is None:
        time.sleep(0.1)
    assert step in log.read_text(), log.read_text()[-800:]
    time.sleep(0.5)
    up.send_signal(signal.SIGKILL)
    up.wait()
    assert traces(), "the killed lab left nothing even before `down`: the test sees nothing"

    began = time.monotonic()
    down = lab("down", "--wipe")

    assert down.returncode == 0, down.stdout + down.stderr
    assert time.monotonic() - began < 15
    assert not traces()


def test_down_is_harmless_when_nothing_runs() -> None:
    assert lab("down").returncode == 0
    assert not traces()


def test_status_says_no_when_down() -> None:
    assert lab("status").returncode == 1
