"""The stack profile of the running lab, with every credential by path.

The run-time counterpart of `stacks/lab.toml`.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from lab import cluster, machineconfig, pki, web
from lab.layout import API_HOST, GATEWAY_PORT, ISSUER, PROJECT, REGISTRY, STATE, TALOS, controls, workers


PATH = STATE / "stack.toml"
DECLARED = PROJECT / "stacks" / "lab.toml"


def _etcd_client() -> dict[str, str]:
    folder = STATE / "etcd-client"
    folder.mkdir(exist_ok=True, mode=0o700)
    authority = machineconfig.ca("etcd")
    (folder / "ca.crt").write_bytes(authority.cert)
    pki.issue(authority, "assay").write(folder / "client.crt", folder / "client.key")
    return {
        "ca": str(folder / "ca.crt"),
        "cert": str(folder / "client.crt"),
        "key": str(folder / "client.key"),
    }


def tables(binaries: Path, samples: dict[str, str], overlay: Path) -> dict[str, dict[str, Any]]:
    """Return what only the running lab knows, table by table."""
    tools = ("talosctl", "kubectl", "cosign", "etcdutl")
    return {
        "stack": {"name": "lab", "kind": "lab", "cluster_uid": cluster.uid(binaries)},
        "paths": {
            "infra": str(PROJECT / "infra"),
            "talos": str(PROJECT / "talos"),
            "gitops": str(PROJECT / "gitops"),
            "runbook": str(PROJECT / "docs/runbook.md"),
            "repository": str(PROJECT),
            "machineconfigs": str(machineconfig.CONFIG / "nodes"),
            "overlay": str(overlay),
        },
        "kube": {
            "kubeconfig": str(cluster.KUBECONFIG),
            "apiservers": [f"https://{n.address}:6443" for n in controls()],
        },
        "talos": {
            "config": str(cluster.TALOSCONFIG),
            "reader_config": str(machineconfig.CONFIG / "talosconfig-reader"),
            "endpoints": [n.address for n in controls()],
            "version": TALOS,
            "controlplanes": {n.name: n.address for n in controls()},
            "workers": {n.name: n.address for n in workers()},
        },
        "etcd": {"endpoints": [f"https://{n.address}:2379" for n in controls()], **_etcd_client()},
        "tools": {name: str(binaries / name) for name in tools},
        "registry": {"address": REGISTRY, "plain_http": True},
        "samples": samples,
        "api": {
            "url": f"https://{workers()[0].address}:{GATEWAY_PORT}",
            "ca": str(STATE / "ca.crt"),
            "host": API_HOST,
            "path": "/api/v1/items",
        },
        "drill": {"launcher": f"env PYTHONPATH={PROJECT} {sys.executable} -m lab"},
        "oidc": {
            "issuer": ISSUER,
            "ca": str(STATE / "ca.crt"),
            "signing_key": str(web.OIDC / "signing.key"),
            "client_id": "assay",
        },
    }


def write(binaries: Path, samples: dict[str, str], overlay: Path) -> None:
    """Merge `stacks/lab.toml` (what is declared) with what only the running lab knows.

    And write the result for the suite.
    """
    declared: dict[str, Any] = tomllib.loads(DECLARED.read_text())
    for name, table in tables(binaries, samples, overlay).items():
        declared[name] = {**declared.get(name, {}), **table}
    PATH.write_text("".join(_table(name, body) for name, body in declared.items()))


def _table(name: str, body: dict[str, Any] | list[dict[str, Any]]) -> str:
    if isinstance(body, list):
        return "".join(f"[[{name}]]\n{_rows(row)}\n" for row in body)
    return f"[{name}]\n{_rows(body)}\n"


def _rows(body: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in body.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value)
