"""An exec plugin for kubectl and client libraries: prints a client certificate that is valid for minutes.

It stands in for kubelogin and similar plugins. `python -m lab.credential CERT KEY` takes the files of the CA
that the API servers trust for clients; the certificate is an administrator's.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import yaml

from lab import pki


API_VERSION = "client.authentication.k8s.io/v1"
LIFETIME = dt.timedelta(minutes=5)
USER, GROUP = "operator", "system:masters"


def credential(authority: pki.Pair) -> dict[str, object]:
    """Return an ExecCredential with a new certificate."""
    expires = dt.datetime.now(dt.UTC) + LIFETIME
    made = pki.issue(authority, USER, GROUP, lifetime=LIFETIME)
    status = {
        "clientCertificateData": made.cert.decode(),
        "clientKeyData": made.key.decode(),
        "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {"apiVersion": API_VERSION, "kind": "ExecCredential", "status": status}


def kubeconfig(admin: Path, authority: pki.Pair, folder: Path, project: Path, name: str) -> Path:
    """Write a kubeconfig whose user is this plugin, beside the CA's files in `folder`, and return it.

    Args:
        admin: the kubeconfig to take the cluster's address and CA from.
        authority: the CA for clients.
        folder: where the files go, for their owner only.
        project: where the lab's code lies.
        name: of the cluster.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    cert, key, file = folder / "ca.crt", folder / "ca.key", folder / "kubeconfig"
    authority.write(cert, key)
    plugin = {
        "apiVersion": API_VERSION,
        "command": sys.executable,
        "args": ["-m", "lab.credential", str(cert), str(key)],
        "env": [{"name": "PYTHONPATH", "value": str(project)}],
        "interactiveMode": "Never",
    }
    cluster = yaml.safe_load(admin.read_text())["clusters"][0]["cluster"]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": USER, "user": {"exec": plugin}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": USER}}],
        "current-context": name,
    }
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def main() -> None:
    """Print an ExecCredential signed by the CA in the two given files."""
    cert, key = (Path(word).read_bytes() for word in sys.argv[1:3])
    print(json.dumps(credential(pki.Pair(cert, key))))


if __name__ == "__main__":
    main()
