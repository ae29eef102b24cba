"""Two small web servers: manifests that Talos fetches (plain HTTP), and a static OIDC issuer (TLS).

The issuer stands in for Authentik: discovery document and keys as in OpenID Connect Discovery 1.0 section 4,
but no login.
"""

from __future__ import annotations

import base64
import functools
import http.server
import json
import ssl
import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from lab import pki
from lab.layout import HOST, ISSUER, OIDC_PORT, STATE, WEB_PORT


WEB = STATE / "web"
OIDC = STATE / "oidc"
POD_NETWORK = """apiVersion: v1
kind: ConfigMap
metadata:
  name: pod-network
  namespace: kube-system
data:
  kind: bridge with host routes, written by the lab's launcher; replaces Cilium and enforces no NetworkPolicy
"""


def _number(value: int) -> str:
    return (
        base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()
    )


def write(tls: pki.Pair, key: rsa.RSAPrivateKey) -> None:
    """Write the manifests and the issuer's documents, certificate and signing key (keys as in RFC 7517)."""
    WEB.mkdir(parents=True, exist_ok=True)
    (WEB / "pod-network.yaml").write_text(POD_NETWORK)
    documents = OIDC / "public"
    (documents / ".well-known").mkdir(parents=True, exist_ok=True)
    public = key.public_key().public_numbers()
    keys = {
        "keys": [
            {
                "kty": "RSA",
                "alg": "RS256",
                "use": "sig",
                "kid": "lab",
                "n": _number(public.n),
                "e": _number(public.e),
            }
        ]
    }
    (documents / "keys").write_text(json.dumps(keys))
    discovery = {
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/keys",
        "authorization_endpoint": f"{ISSUER}/none",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    (documents / ".well-known/openid-configuration").write_text(json.dumps(discovery))
    tls.write(OIDC / "tls.crt", OIDC / "tls.key")
    (OIDC / "signing.key").touch(mode=0o600)
    (OIDC / "signing.key").write_bytes(pki.key_pem(key))


def _server(port: int, folder: Path) -> http.server.ThreadingHTTPServer:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    return http.server.ThreadingHTTPServer((HOST, port), handler)


def main() -> None:
    """Serve both until killed."""
    issuer = _server(OIDC_PORT, OIDC / "public")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(OIDC / "tls.crt", OIDC / "tls.key")
    issuer.socket = context.wrap_socket(issuer.socket, server_side=True)
    threading.Thread(target=issuer.serve_forever, daemon=True).start()
    _server(WEB_PORT, WEB).serve_forever()


if __name__ == "__main__":
    main()
