"""What a TCP port answers, and whether a TLS server lets a client without a certificate in."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from assay.errors import ProbeError


HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
DEMANDS = ("certificate required", "certificate_required", "bad certificate", "handshake failure")


@dataclass(frozen=True, slots=True)
class PortState:
    """One port of one address.

    `open`, `closed` (refused) or `silent` (no answer in time, so filtered or unreachable).
    """

    address: str
    port: int
    state: str

    @property
    def ref(self) -> str:
        """Return `host:port`."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClientAuth:
    """A TLS server asked without a client certificate: did it demand one, and in which words."""

    address: str
    port: int
    demands: bool
    words: str


@dataclass(frozen=True, slots=True)
class ProbedAddress:
    """A port of one address of a host, as seen from here.

    Attributes:
        address: the address.
        reachable: its TLS API demanded a certificate there, so no firewall hides all of it.
        state: `open`, or `closed`, which may be a firewall's doing.
    """

    address: str
    reachable: bool
    state: str


def probe_port(address: str, port: int, seconds: float = 3.0) -> PortState:
    """Return the state of a TCP port as seen from here.

    Raises:
        ProbeError: this machine cannot even try (no route, no such name).
    """
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return PortState(address, port, "open")
    except ConnectionRefusedError:
        return PortState(address, port, "closed")
    except TimeoutError:
        return PortState(address, port, "silent")
    except OSError as why:
        raise ProbeError(
            f"{address}:{port}: {why.strerror or why}", "is there a route to the node from here?"
        ) from why


def is_open(address: str, port: int, seconds: float = 3.0) -> bool:
    """Return whether a TCP port can be connected to from here; no route to it is not an error."""
    try:
        return probe_port(address, port, seconds).state == "open"
    except ProbeError:
        return False


def ask_without_certificate(address: str, port: int, ca: Path, seconds: float = 5.0) -> ClientAuth:
    """Return whether the TLS server, known by `ca`, demands a client certificate.

    In TLS 1.3 the client's handshake ends before the server has judged it, so bytes are sent and the answer
    is read.

    Raises:
        ProbeError: nothing listens, it speaks no TLS, or `ca` did not sign its certificate.
    """
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((address, port), timeout=seconds) as plain,
            context.wrap_socket(plain) as secured,
        ):
            secured.sendall(HELLO)
            got = secured.recv(64)
            return ClientAuth(address, port, False, f"answered {len(got)} bytes without a certificate")
    except ssl.SSLCertVerificationError as why:
        raise ProbeError(
            f"{address}:{port}: its certificate is not of the expected CA", "is this the right cluster?"
        ) from why
    except ssl.SSLError as why:
        words = str(why.reason or why).lower().replace("_", " ")
        if any(mark.replace("_", " ") in words for mark in DEMANDS):
            return ClientAuth(address, port, True, words)
        raise ProbeError(f"{address}:{port}: TLS failed: {words}", "is this the Talos API?") from why
    except OSError as why:
        raise ProbeError(
            f"{address}:{port}: {why.strerror or why}", "is the Talos API running and reachable?"
        ) from why
