"""Requests to one API server over TLS: its own address, the login of the kubeconfig, within a time limit.

The only module of the Kubernetes probe that imports an HTTP client.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import PoolManager, ProxyManager, Timeout
from urllib3.exceptions import HTTPError

from assay.errors import ProbeError
from assay.formats.parsing import WRONG
from assay.probes.guard import SENT
from assay.probes.kube.kubeconfig import NOBODY, REMEDY, Context, Login, open_login
from assay.probes.kube.plugin import ExecCredential
from assay.probes.kube.wire import Send


Seconds = tuple[float, float]
CONNECT_S, READ_S = 5.0, 40.0
CONNECTIONS = 16
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# What stands in the words of a failure -> cause and remedy.
CAUSES = (
    ("certificate has expired", "its certificate has expired", "renew the API server's certificate"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate does not verify",
        "check the CA in the kubeconfig, the certificate's names, and tls-server-name",
    ),
    ("sslv3 alert", "it refused the client certificate", "renew the credential of the kubeconfig"),
    ("tlsv1", "it refused the client certificate", "renew the credential of the kubeconfig"),
    (
        "EOF occurred",
        "it closed the connection during the handshake",
        "renew the credential of the kubeconfig; is something else at this address?",
    ),
    ("Unable to connect to proxy", "the proxy does not answer", "check proxy-url or HTTPS_PROXY"),
    ("timed out", "no answer in time", "is the API server overloaded, or a firewall in between?"),
    ("IncompleteRead", "the answer broke off", "ask again; is a proxy in between?"),
    ("refused", "connection refused", "is the API server running at this address?"),
)


def connect(
    kubeconfig: Path,
    server: str = "",
    credentials: bool = True,
    timeout: Seconds = (CONNECT_S, READ_S),
    context: str = "",
) -> tuple[str, Send]:
    """Return the server's address and a function that sends one request to it.

    A credential that expires, or that the server refuses, is taken anew where the kubeconfig has a way to.

    Args:
        kubeconfig: file with the CA and the client's credential.
        server: address to ask; empty: the kubeconfig's own.
        credentials: False keeps the CA and leaves out who we are.
        timeout: seconds to connect, seconds to read.
        context: of the kubeconfig; empty: the one in force.

    Raises:
        ProbeError: the kubeconfig cannot be used.
    """
    login = open_login(kubeconfig, context)
    host = (server or login.context.server).rstrip("/")
    line = _Line(login, host, timeout)
    return host, line.send if credentials else line.send_as_nobody


class _Line:
    """One server and one login: a pool of connections for each credential that it was given."""

    def __init__(self, login: Login, host: str, timeout: Seconds) -> None:
        self._login, self._host = login, host
        self._timeout = Timeout(connect=timeout[0], read=timeout[1])
        self._lock = Lock()
        self._pool: tuple[ExecCredential, PoolManager] | None = None

    def send_as_nobody(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        """Return status and body of one request without any credential."""
        return self._request(NOBODY, method, path, headers, body)

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        """Return status and body of one request; after a 401 it is sent once more with a fresh credential."""
        shown = self._login.current()
        mine = {**self._login.context.headers, **shown.headers, **headers}
        status, answer = self._request(shown, method, path, mine, body)
        if status != 401 or "Authorization" in headers:
            return status, answer
        fresh = self._login.after(shown)
        if fresh == shown:
            return status, answer
        mine = {**self._login.context.headers, **fresh.headers, **headers}
        return self._request(fresh, method, path, mine, body)

    def _request(
        self, shown: ExecCredential, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        try:
            reply = self._connections(shown).request(
                method, f"{self._host}{path}", body=body, headers={"User-Agent": SENT.agent, **headers},
                timeout=self._timeout, redirect=False, retries=False,
            )  # fmt: skip
            return int(reply.status), bytes(reply.data)
        except (HTTPError, OSError) as problem:
            raise unreachable(self._host, method, path, problem) from None

    def _connections(self, shown: ExecCredential) -> PoolManager:
        """Return the connections on which `shown` is the client's certificate."""
        with self._lock:
            if self._pool is None or self._pool[0] != shown:
                self._pool = (shown, _pool(self._login.context, self._host, shown))
            return self._pool[1]


def server_time(login: Login, server: str, timeout: Seconds) -> datetime.datetime:
    """Return an API server's own time, from the Date of an answer (RFC 9110, 6.6.1; to the second).

    Raises:
        ProbeError: it does not answer, or says no time.
    """
    try:
        pool = _pool(login.context, server, NOBODY)
        reply = pool.request("GET", f"{server}/version", timeout=Timeout(*timeout), retries=False)
        return parsedate_to_datetime(reply.headers["Date"])
    except (HTTPError, OSError, *WRONG) as problem:
        raise unreachable(server, "GET", "/version", problem) from None


def _pool(context: Context, host: str, shown: ExecCredential) -> PoolManager:
    """Return a pool that verifies the server, by way of a proxy where the kubeconfig or the machine has one.

    Raises:
        ProbeError: the proxy's URL is of a kind that is not supported.
    """
    options: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "ssl_context": context.trust(shown),
        **({"server_hostname": context.server_name} if context.server_name else {}),
    }
    proxy = context.proxy or _machine_proxy(host)
    kind = urlsplit(proxy).scheme
    if not proxy:
        return PoolManager(**options)
    if kind in {"http", "https"}:
        return ProxyManager(proxy, **options)
    if kind in {"socks5", "socks5h"}:
        return _socks(context, proxy, options)
    raise ProbeError(f"{context.file.name}: proxy-url is neither http, https nor socks5", REMEDY)


def _socks(context: Context, proxy: str, options: Mapping[str, Any]) -> PoolManager:
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError:
        message = f"{context.file.name}: proxy-url is a SOCKS proxy, and PySocks is not installed"
        raise ProbeError(message, "pip install PySocks, or name an http proxy") from None
    return SOCKSProxyManager(proxy, **options)


def _machine_proxy(host: str) -> str:
    """Return the proxy that the environment names for a host, as kubectl takes it; none for this machine."""
    parts = urlsplit(host)
    name = parts.hostname or ""
    if name in LOOPBACK or proxy_bypass(name):
        return ""
    return getproxies().get(parts.scheme, "")


def unreachable(server: str, method: str, path: str, problem: Exception) -> ProbeError:
    """Return the one-line complaint, with a remedy, for a request that got no whole answer."""
    words = " ".join(str(problem).split()).lower()
    for sign, cause, remedy in CAUSES:
        if sign.lower() in words:
            return ProbeError(f"{server}: {method} {path}: {cause}", remedy)
    return ProbeError(
        f"{server}: {method} {path}: {type(problem).__name__}", "is the API server reachable from here?"
    )
