"""A drill on the running lab that dies in the middle: nothing of it is left, and nobody has to do anything.

The crash matrix is in the unit tests, with a fake driver; these are two samples of it with real parts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lab import build, cluster, deploy, profile
from lab.layout import name_of


SPACE = name_of("Namespace", "vault-restored")
ROOT = Path(__file__).parents[2]
ASSAY = (sys.executable, "-m", "assay.cli")
KUBECTL = deploy.Cluster(build.BINARIES / "kubectl", cluster.KUBECONFIG)
pytestmark = pytest.mark.skipif(
    not (profile.PATH.exists() and "[vault]" in profile.PATH.read_text()),
    reason="the lab is not up, or without Vault: `make lab-up`",
)


def there() -> bool:
    """Return whether the scratch namespace of the restore exists."""
    return bool(KUBECTL.call("get", "namespace", SPACE, "--ignore-not-found", "-o", "name"))


def awaited(holds: Callable[[], bool], seconds: float) -> float:
    """Return how long it took until `holds()`."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, "not seen in time"
        time.sleep(0.5)
    return time.monotonic() - begun


def assay(*words: str) -> subprocess.CompletedProcess[str]:
    """Return what the command line says."""
    argv = [*ASSAY, *words, "--stack", str(profile.PATH)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda n: n.name)
def test_a_restore_that_dies_leaves_no_second_vault(tmp_path: Path, number: signal.Signals) -> None:
    """Killed with its parent, the watchdog takes the restored Vault away; interrupted, it does so itself."""
    # As from a terminal: a shell's background has SIGINT ignored, and so would the run.
    argv = ["env", "--default-signal=INT", *ASSAY]
    argv += ["drill", "run", "vault", "--execute", "--stack", str(profile.PATH)]
    log, own = tmp_path / "run.log", {**os.environ, "ASSAY_REPORTS": str(tmp_path)}
    with log.open("w") as out:
        run = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out, env=own)
    try:
        awaited(there, 180)
        assert "acting (running)" in assay("drill", "status").stdout
        if number is signal.SIGKILL:
            for one in [*children(run.pid), run.pid]:
                os.kill(one, number)
        else:
            run.send_signal(number)
        run.wait(timeout=180)
        awaited(lambda: not there(), 150)
        awaited(lambda: assay("drill", "status").stdout == "closed\n", 60)
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
            run.wait(timeout=400)
    said = log.read_text()
    assert "Traceback" not in said
    assert number is signal.SIGKILL or (run.returncode == 128 + number and "interrupted" in said)


def children(parent: int) -> list[int]:
    """Return the processes that a process started and that are in its session: the watchdog is not."""
    session = os.getsid(parent)
    found = psutil.Process(parent).children(recursive=True)
    return [one.pid for one in found if os.getsid(one.pid) == session]
