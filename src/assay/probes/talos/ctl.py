"""One question to one Talos node through talosctl.

Explicit credential, endpoint, node and time limit, nothing from the environment. A node that is an endpoint
is asked directly; all others are asked through the endpoints, as firewalls want it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.model import Attempt
from assay.probes.guard import READING, Guard
from assay.probes.talos.cert import read_endpoints
from assay.probes.talos.facts import Machine
from assay.probes.talos.requests import talos_request
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
    """Drives one talosctl binary with one talosconfig. What `guard` does not allow is not run.

    Attributes:
        binary: talosctl.
        config: the talosconfig.
        seconds: the time limit of one question.
        guard: what may be done.
        endpoints: addresses of the Talos API that can be reached from here, usually the control planes; none:
            every node is asked at its own address.
    """

    binary: Path
    config: Path
    seconds: float = 30.0
    guard: Guard = READING
    endpoints: tuple[str, ...] = ()

    @classmethod
    def of(cls, binary: Path, config: Path, endpoints: tuple[str, ...], guard: Guard = READING) -> Self:
        """Return the client for a talosconfig; without `endpoints` it asks through those of the file.

        Raises:
            ProbeError: the file cannot be read.
        """
        return cls(binary, config, endpoints=endpoints or read_endpoints(config), guard=guard)

    def within(self, seconds: float) -> Self:
        """Return the same client with another time limit."""
        return replace(self, seconds=seconds)

    def via(self, node: Machine) -> tuple[str, ...]:
        """Return the addresses through which a node is asked."""
        direct = not self.endpoints or node.address in self.endpoints
        return (node.address,) if direct else self.endpoints

    def ask(self, node: Machine, *words: str) -> str:
        """Return what `talosctl words` prints about `node`.

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
        self.guard.admit(talos_request(words))
        if not node.address:
            raise ProbeError(f"{node.ref}: it has no address", "does it run a kubelet and Talos at all?")
        way = ("-e", ",".join(self.via(node)), "-n", node.address)
        argv = [self.binary, "--talosconfig", self.config, *way, *words]
        remedy = "is its apid running, and talosctl under [tools]?"
        done = run_tool(argv, self.seconds, f"{node.ref}: talosctl {words[0]}", remedy=remedy)
        return TalosAnswer(done.code, done.text, done.error_text)

    def complaint(self, node: Machine, words: tuple[str, ...], answer: TalosAnswer) -> ProbeError:
        """Return the error for an answer that cannot be used, with the remedy that fits."""
        remedy = "look at the node's apid"
        if REFUSED in answer.err:
            remedy = f"the role of {self.config.name} is too small: talosctl config new --roles os:admin"
        elif any(mark in answer.err for mark in CREDENTIAL):
            remedy = f"renew {self.config.name}"
        elif any(mark in answer.err for mark in SILENT):
            remedy = f"is port 50000 of {', '.join(self.via(node))} reachable from here?"
        return ProbeError(
            f"{node.ref}: talosctl {' '.join(words[:2])}: {_last(answer.err) or f'exit {answer.code}'}",
            remedy,
        )


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return repeated(lines[-1], 300) if lines else ""
