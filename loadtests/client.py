"""A keep-alive HTTP/1.1 client for measured requests: no queue, retry or redirect, certificate verified.

Runs on gevent through the standard library's patched sockets. A pool of connections without an upper bound:
a request never waits for another one's connection, which would hide a slow server inside the client.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


MAX_IDLE_S = 2.0
OWN_HEADERS = {"Accept": "*/*", "Cache-Control": "no-cache", "User-Agent": "assay-load/1"}
CACHE_HEADERS = ("cf-cache-status", "x-cache")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the status, whether a body arrived whole, whether a cache gave it."""

    status: int
    whole: bool
    cached: bool


class NamedConnection(http.client.HTTPSConnection):
    """A TLS connection to one address whose certificate must carry another name than the address."""

    def __init__(self, address: tuple[str, int], name: str, trust: ssl.SSLContext, timeout: float) -> None:
        """Connect to `address` when first used and verify the certificate for `name` against `trust`."""
        super().__init__(*address, timeout=timeout, context=trust)
        self.address, self.name, self.trust = address, name, trust

    def connect(self) -> None:
        """Open the connection and verify the certificate."""
        raw = socket.create_connection(self.address, self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self.trust.wrap_socket(raw, server_hostname=self.name)


class Client:
    """Sends GET requests to one URL over as many connections as are needed at the same time."""

    def __init__(self, url: str, name: str, ca: str, timeout: float, headers: Mapping[str, str]) -> None:
        """Aim at host and port of `url`.

        Args:
            url: of the API.
            name: the host in header and certificate; empty: that of the URL.
            ca: a PEM file; empty: the authorities that the machine trusts.
            timeout: seconds for one step of a request.
            headers: what each request carries.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"not a URL to send to: {url}")
        self.tls = parts.scheme == "https"
        self.address = (parts.hostname, parts.port or (443 if self.tls else 80))
        self.name = name or parts.hostname
        self.trust = ssl.create_default_context(cafile=ca or None)
        self.timeout = timeout
        self.headers = {**OWN_HEADERS, **headers, "Host": self.name}
        self.idle: list[tuple[float, http.client.HTTPConnection]] = []

    def get(self, path: str) -> Reply:
        """Return the reply to one GET, read to its end; OSError or HTTPException if there is none."""
        connection = self._take()
        try:
            connection.request("GET", path, headers=self.headers)
            reply = connection.getresponse()
            body = reply.read()
        except BaseException:
            connection.close()
            raise
        if reply.will_close:
            connection.close()
        else:
            self.idle.append((time.monotonic(), connection))
        cached = any("HIT" in reply.headers.get(header, "").upper() for header in CACHE_HEADERS)
        return Reply(reply.status, bool(body), cached or int(reply.headers.get("age") or 0) > 0)

    def _take(self) -> http.client.HTTPConnection:
        while self.idle:
            since, connection = self.idle.pop()
            if time.monotonic() - since < MAX_IDLE_S:
                return connection
            connection.close()
        if self.tls:
            return NamedConnection(self.address, self.name, self.trust, self.timeout)
        return http.client.HTTPConnection(*self.address, timeout=self.timeout)
