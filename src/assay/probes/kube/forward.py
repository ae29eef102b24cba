"""A port of a pod, forwarded to this machine for as long as it is asked."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import ProbeError
from assay.secretscan.suspect import repeated


LISTENING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
FORWARD_TIMEOUT_S = 20.0


@contextmanager
def forwarded(kubectl: Path, kubeconfig: Path, space: str, target: str, port: int) -> Iterator[int]:
    """Yield the local port behind which `port` of `target` (`pod/name`, `service/name`) answers.

    Raises:
        ProbeError: kubectl does not run, or does not listen within twenty seconds.
    """
    argv = [
        str(kubectl), f"--kubeconfig={kubeconfig}", "-n", space,
        "port-forward", "--address=127.0.0.1", target, f":{port}",
    ]  # fmt: skip
    remedy = "is the pod there, and may the credential forward ports?"
    try:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as why:
        raise ProbeError(f"kubectl does not run: {why.strerror}", "check [tools]") from why
    late = threading.Timer(FORWARD_TIMEOUT_S, process.kill)
    try:
        late.start()
        said = process.stdout.readline() if process.stdout else ""
        late.cancel()
        if (found := LISTENING.match(said)) is None:
            words = repeated(said) or f"no word in {FORWARD_TIMEOUT_S:.0f} s"
            raise ProbeError(f"{space}/{target}: not forwarded: {words}", remedy)
        yield int(found[1])
    finally:
        late.cancel()
        process.kill()
        process.communicate()
