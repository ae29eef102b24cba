"""A small HTTP(S) server on loopback that answers as a Kubernetes API server would."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from assay.probes.kube.dry_run import DryRunKube


Reply = tuple[int, Any]
Script = Callable[[str, str, dict[str, str], Any], Reply]


def handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(length)) if length else None
            url = urlparse(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            status, body = script(
                self.command, url.path, {**query, "auth": self.headers.get("Authorization", "")}, sent
            )
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header(
                "Content-Length",
                str(len(raw) + (100 if isinstance(body, bytes) and body.endswith(b"...") else 0)),
            )
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def served(
    tmp_path: Path, script: Script, context: ssl.SSLContext | None = None, ca: Path | None = None
) -> Iterator[DryRunKube]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(script))
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    file = kubeconfig(tmp_path, url, ca)
    try:
        yield DryRunKube(file, (url,), timeout=(1, 0.5))
    finally:
        server.shutdown()
        server.server_close()


def kubeconfig(
    folder: Path,
    url: str,
    ca: Path | None = None,
    user: dict[str, Any] | None = None,
    **of_cluster: object,
) -> Path:
    """Write a kubeconfig with one context; `user` is who asks, `of_cluster` more about the cluster."""
    cluster = {"server": url, **({"certificate-authority": str(ca)} if ca else {}), **of_cluster}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": cluster}],
        "users": [{"name": "x", "user": user or {"token": "canary-token"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def listed(items: list[Any], **meta: object) -> Reply:
    return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items}


def says(status: int, message: str) -> Reply:
    return status, {"kind": "Status", "status": "Failure", "message": message, "code": status}


def tls(folder: Path, expired: bool = False, name: str = "") -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    end = now - datetime.timedelta(days=1) if expired else now + datetime.timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    made = (
        made.serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(end)
    )
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName([x509.DNSName(name) if name else loopback])
    made = made.add_extension(names, critical=False).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    cert, pem = folder / "tls.crt", folder / "tls.key"
    cert.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, pem)
    return context, cert
