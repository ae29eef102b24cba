"""What a kubeconfig says: which API server, how it is known, and what a client shows it.

Read here and not by the Kubernetes client: that has no time limit for exec plugins, drops their client
certificates and `proxy-url`, and leaves keys in temporary files (docs/adr/0021-kubeconfigs-are-read-here.md).
"""

from __future__ import annotations

import base64
import binascii
import datetime
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import yaml

from assay.errors import ProbeError
from assay.formats.parsing import WRONG
from assay.probes.kube.plugin import ExecCredential, ExecPlugin


NOBODY = ExecCredential()
REMEDY = "check [kube] kubeconfig and context in the profile"
EXPIRY_MARGIN = datetime.timedelta(seconds=5)
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The context in force of a kubeconfig.

    Attributes:
        file: the kubeconfig.
        server: the API server's address, usually a load balancer.
        server_name: the name its certificate must carry, where that is not the address (`tls-server-name`).
        proxy: URL of the proxy on the way to it (`proxy-url`), empty for none of its own.
        authority: PEM of the CA by which it is known; empty: those that the machine trusts.
        headers: what each request carries beside the credential (impersonation).
        credential: what the file itself holds: token, basic login, certificate.
        token_file: a file whose content is the token; it is read again when the server refuses the last one.
        plugin: a program that gives the credential.
    """

    file: Path
    server: str
    server_name: str = ""
    proxy: str = ""
    authority: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    credential: ExecCredential = NOBODY
    token_file: Path | None = None
    plugin: ExecPlugin | None = None

    def trust(self, shown: ExecCredential) -> ssl.SSLContext:
        """Return how a TLS connection verifies the server, and the client certificate that it shows.

        Raises:
            ProbeError: a certificate or a key in the file is not usable.
        """
        try:
            made = ssl.create_default_context(cadata=self.authority or None)
            if shown.certificate:
                _load_chain(made, shown)
        except (ssl.SSLError, OSError, ValueError) as problem:
            message = (
                f"{self.file.name}: its CA or client certificate is not usable: {type(problem).__name__}"
            )
            raise ProbeError(message, REMEDY) from None
        return made


class Login:
    """The credential of one context, taken anew when it expires and once when the server refuses it.

    One for all connections of this process, so a plugin runs once and not for each API server.
    """

    def __init__(self, context: Context) -> None:
        """Show what `context` says; no plugin runs yet."""
        self.context = context
        self._lock = Lock()
        self._held: ExecCredential | None = None

    def current(self) -> ExecCredential:
        """Return a credential that has not expired.

        Raises:
            ProbeError: the plugin or the token's file gives none.
        """
        with self._lock:
            held = self._held
            if held is None or (held.expires and held.expires - EXPIRY_MARGIN <= _now()):
                held = self._held = self._taken()
            return held

    def after(self, refused: ExecCredential) -> ExecCredential:
        """Return another credential than `refused`, or the same one where the context has no other.

        Raises:
            ProbeError: the plugin or the token's file gives none.
        """
        with self._lock:
            renewable = self.context.plugin or self.context.token_file
            if self._held is None or (renewable and self._held == refused):
                self._held = self._taken()
            return self._held

    def _taken(self) -> ExecCredential:
        if self.context.plugin is not None:
            return self.context.plugin.run()
        if self.context.token_file is not None:
            return ExecCredential(token=_text(self.context.file, self.context.token_file).strip())
        return self.context.credential


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def open_login(file: Path, context: str = "") -> Login:
    """Return the credential of a kubeconfig's context, shared while the file stays as it is.

    Args:
        file: the kubeconfig.
        context: which one; empty: its `current-context`.

    Raises:
        ProbeError: the file cannot be read or is not a kubeconfig, or has no such context.
    """
    try:
        known = file.stat()
    except OSError as problem:
        raise ProbeError(f"{file.name}: cannot be read: {problem.strerror}", REMEDY) from None
    return _login(file, context, known.st_mtime_ns, known.st_size, known.st_ino)


@lru_cache(maxsize=8)
def _login(file: Path, context: str, *_as_it_was: int) -> Login:
    return Login(read_kubeconfig(file, context))


def read_kubeconfig(file: Path, context: str = "") -> Context:
    """Return what a kubeconfig says of one context; empty: its `current-context`.

    Raises:
        ProbeError: not readable, not a kubeconfig, no such context, or a login that is not supported.
    """
    try:
        document = yaml.safe_load(_text(file, file))
        wanted = context or str(document["current-context"] or "")
        names = [str(one["name"]) for one in document["contexts"]]
        if wanted not in names:
            message = f"{file.name}: no context {wanted!r}, but {', '.join(names) or 'none at all'}"
            raise ProbeError(message, "set context under [kube], or kubectl config use-context")
        chosen = _named(document, "contexts", wanted)["context"]
        cluster = _named(document, "clusters", chosen["cluster"])["cluster"] or {}
        user = _named(document, "users", chosen["user"])["user"] or {}
        return _context(file, cluster, user)
    except (yaml.YAMLError, binascii.Error, *WRONG) as problem:
        message = f"{file.name}: not a usable kubeconfig: {type(problem).__name__}"
        raise ProbeError(message, REMEDY) from None


def _named(document: Table, kind: str, name: str) -> Table:
    return next(one for one in document[kind] if one["name"] == name) if name else {kind[:-1]: {}}


def _context(file: Path, cluster: Table, user: Table) -> Context:
    if cluster.get("insecure-skip-tls-verify"):
        message = f"{file.name}: skips TLS verification, so nothing that answers would be evidence"
        raise ProbeError(message, "give the cluster certificate-authority-data")
    if "auth-provider" in user:
        message = f"{file.name}: logs in by auth-provider, which Kubernetes 1.26 removed"
        raise ProbeError(message, "use an exec plugin, a token or a client certificate")
    plugin = user.get("exec")
    return Context(
        file=file,
        server=str(cluster["server"]).rstrip("/"),
        server_name=str(cluster.get("tls-server-name") or ""),
        proxy=str(cluster.get("proxy-url") or ""),
        authority=_pem(file, cluster, "certificate-authority"),
        headers=_impersonation(user),
        credential=_own(file, user),
        token_file=file.parent / user["tokenFile"] if user.get("tokenFile") else None,
        plugin=ExecPlugin.of(file, plugin, cluster) if plugin else None,
    )


def _own(file: Path, user: Table) -> ExecCredential:
    login = f"{user.get('username')}:{user.get('password')}".encode()
    basic = base64.b64encode(login).decode() if user.get("username") else ""
    return ExecCredential(
        token=str(user.get("token") or ""),
        basic=basic,
        certificate=_pem(file, user, "client-certificate"),
        key=_pem(file, user, "client-key"),
    )


def _impersonation(user: Table) -> dict[str, str]:
    """Return the headers of `as`; of its groups only one, as a header cannot be sent twice here."""
    groups = list(user.get("as-groups") or [])
    if len(groups) > 1 or user.get("as-user-extra"):
        raise ProbeError(
            "the kubeconfig impersonates several groups or extras", "give the suite its own login"
        )
    named = {"Impersonate-User": user.get("as"), "Impersonate-Uid": user.get("as-uid")}
    named["Impersonate-Group"] = groups[0] if groups else None
    return {key: str(value) for key, value in named.items() if value}


def _pem(file: Path, table: Table, key: str) -> str:
    """Return the text of `key`-data, or of the file that `key` names, from the kubeconfig's own folder."""
    if table.get(f"{key}-data"):
        return base64.b64decode(str(table[f"{key}-data"]), validate=True).decode("ascii")
    return _text(file, file.parent / str(table[key])) if table.get(key) else ""


def _text(file: Path, wanted: Path) -> str:
    try:
        return wanted.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "not text"
        raise ProbeError(f"{file.name}: {wanted.name} cannot be read: {why}", REMEDY) from None


def _load_chain(context: ssl.SSLContext, shown: ExecCredential) -> None:
    """Load certificate and key; OpenSSL reads them from a file only, which is gone when this returns."""
    with tempfile.NamedTemporaryFile("w", prefix="assay-", suffix=".pem") as both:  # made with mode 0600
        both.write(f"{shown.certificate}\n{shown.key}\n")
        both.flush()
        context.load_cert_chain(both.name, password=lambda: "")
