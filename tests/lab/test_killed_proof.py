"""A proof that is killed: what it had planted is said and swept by the next start, here of the doctor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assay.config.loader import load_profile
from assay.polling import poll
from assay.probes.kube.client import Kube
from assay.proof.left import left_plant
from assay.proof.plant import LABEL
from lab import profile


ROOT = Path(__file__).parents[2]
PODS = "/api/v1/namespaces/assay-planted/pods"
pytestmark = pytest.mark.skipif(not profile.PATH.exists(), reason="the lab is not up: `make lab-up`")


def test_a_killed_proof_is_swept_and_named(tmp_path: Path) -> None:
    of, own = load_profile(profile.PATH), {**os.environ, "ASSAY_REPORTS": str(tmp_path)}
    wire = Kube.from_profile(of).wire

    def planted() -> bool:
        return bool(wire.items(PODS, labelSelector=LABEL))

    argv = [sys.executable, "-m", "pytest", "acceptance", "--stack", str(profile.PATH), "--prove"]
    argv += ["--control", "SEC-27", "--tier", "live"]
    with (tmp_path / "proof.log").open("w") as out:
        proof = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out, env=own, start_new_session=True)
        assert poll(lambda: planted() or proof.poll() is not None, 1200.0, every_s=0.3)
        os.killpg(proof.pid, signal.SIGKILL)
        proof.wait()
    assert planted()
    left = left_plant(of)
    assert left is not None
    assert left.control == "SEC-27"
    doctor = [sys.executable, "-m", "assay.cli", "doctor", "--stack", str(profile.PATH)]
    done = subprocess.run(doctor, cwd=ROOT, env=own, capture_output=True, text=True, timeout=600, check=False)
    assert f"assay: swept SEC-27 {left.violation}, left by run {left.run}" in done.stderr
    assert not planted()
    assert left_plant(of) is None
