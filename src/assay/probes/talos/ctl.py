"""One question to one Talos node through talosctl.

Explicit credential, endpoint, node and time limit, nothing from the environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.model import Attempt
from assay.probes.guard import READING, Guard
from assay.probes.talos.facts import Machine
from assay.probes.talos.requests import request_of
from assay.secretscan.suspect import repeated


SILENT = (
    "code = Unavailable",
    "code = DeadlineExceeded",
    "connection refused",
    "i/o timeout",
    "no route to host",
    "connection error",
)
CREDENTIAL = (
    "code = Unauthenticated",
    "x509:",
    "tls:",
    "certificate has expired",
    "authentication handshake failed",
)
REFUSED = "code = PermissionDenied"


@dataclass(frozen=True, slots=True)
class TalosAnswer:
    """What one run of talosctl came to: exit code, both streams."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Talosctl:
    """Drives one talosctl binary with one talosconfig; `seconds` is the time limit of one question.

    What `guard` does not allow is not run.
    """

    binary: Path
    config: Path
    seconds: float = 30.0
    guard: Guard = READING

    def ask(self, node: Machine, *words: str) -> str:
        """Return what `talosctl words` prints about `node`, asked at the node's own address.

        Raises:
            ProbeError: it failed, warned of a part that did not answer, was refused, or did not end in time.
        """
        answer = self.run(node, *words)
        warned = any("WARNING" in line and "server version" not in line for line in answer.err.splitlines())
        if answer.code or warned or "rpc error" in answer.err:
            raise self.complaint(node, words, answer)
        return answer.out

    def attempt(self, node: Machine, *words: str) -> Attempt:
        """Return whether the node's role check let `talosctl words` through.

        Any answer other than PermissionDenied did.

        Raises:
            ProbeError: no answer of the machine API at all: unreachable, bad certificate, time over.
        """
        answer = self.run(node, *words)
        reason = _last(answer.err) if answer.code else "ok"
        if answer.code and any(mark in answer.err for mark in (*SILENT, *CREDENTIAL)):
            raise self.complaint(node, words, answer)
        return Attempt(f"{node.ref}: {' '.join(words[:3])}", REFUSED not in answer.err, reason)

    def run(self, node: Machine, *words: str) -> TalosAnswer:
        """Return the outcome of one run, whatever it is.

        Raises:
            GuardError: it does more than is allowed here.
            ProbeError: talosctl is not there, or did not end in time.
        """
        self.guard.admit(request_of(words))
        argv = [
            str(self.binary),
            "--talosconfig",
            str(self.config),
            "-e",
            node.address,
            "-n",
            node.address,
            *words,
        ]
        remedy = "is its apid running, and talosctl under [tools]?"
        done = run_tool(argv, self.seconds, f"{node.ref}: talosctl {words[0]}", remedy=remedy)
        return TalosAnswer(done.code, done.text, done.error_text)

    def complaint(self, node: Machine, words: tuple[str, ...], answer: TalosAnswer) -> ProbeError:
        """Return the error for an answer that cannot be used, with the remedy that fits."""
        remedy = "look at the node's apid"
        if REFUSED in answer.err:
            remedy = f"the credential {self.config.name} has too small a role"
        elif any(mark in answer.err for mark in CREDENTIAL):
            remedy = f"renew {self.config.name}"
        elif any(mark in answer.err for mark in SILENT):
            remedy = f"is {node.address}:50000 reachable from here?"
        return ProbeError(
            f"{node.ref}: talosctl {' '.join(words[:2])}: {_last(answer.err) or f'exit {answer.code}'}",
            remedy,
        )


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return repeated(lines[-1], 300) if lines else ""
