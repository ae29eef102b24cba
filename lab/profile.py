"""The stack profile of the running lab: `stacks/lab.toml` plus endpoints and the paths of credentials."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from lab import cluster, http_servers, machineconfig, pki, sops
from lab.layout import (
    API_HOST,
    GATEWAY_PORT,
    INSTANCE,
    ISSUER,
    NAMES,
    PROJECT,
    REGISTRY,
    SOURCES,
    STATE,
    TALOS,
    controls,
    here,
    name_of,
    source,
    workers,
)
from lab.names import tree
from lab.parts import left_out
from lab.rollout import Rollout


PATH = STATE / "stack.toml"
DECLARED = "stacks/lab.toml"
VAULT = "gitops/platform/vault/config"
PGBACKREST = "gitops/platform/postgres/pgbackrest.conf"
ESCROWED = {"etcd": "etcd-backup.agekey", "vault": "vault-backup.agekey", "postgres": "pgbackrest-passphrase"}
MADE = {"etcd": "etcd-snapshot", "vault": "vault-snapshot", "postgres": "pgbackrest"}
SECTIONS = {
    "etcd": "Restore etcd: the last resort",
    "vault": "Restore Vault: beside the old one",
    "postgres": "Restore PostgreSQL: beside the old one",
}
PREFIXES = {"etcd": "etcd", "vault": "vault", "postgres": "platform"}


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


def paths(overlay: Path) -> dict[str, str]:
    """Return the profile's [paths]: where the platform's sources are."""
    return {
        "infra": str(source("infra")),
        "talos": str(source("talos")),
        "gitops": str(source("gitops")),
        "runbook": str(source("docs/runbook.md")),
        "backups_doc": str(source("docs/backups-and-restore.md")),
        "repositories": str(SOURCES),
        "machineconfigs": str(machineconfig.CONFIG / "nodes"),
        "overlay": str(overlay),
    }


def launcher() -> str:
    """Return the command with which drills stop and start this lab's nodes."""
    instance = f"ASSAY_LAB_INSTANCE={INSTANCE} " if INSTANCE else ""
    return f"env {instance}PYTHONPATH={PROJECT} {sys.executable} -m lab"


def _signers() -> dict[str, str]:
    """Return where signed records of restores lie, and who may sign them: nobody, in a lab."""
    records, signers = STATE / "restores", STATE / "allowed_signers"
    records.mkdir(exist_ok=True)
    signers.touch()
    return {"records": str(records), "allowed_signers": str(signers)}


def tables(binaries: Path, samples: dict[str, str], overlay: Path) -> dict[str, dict[str, Any]]:
    """Return what only the running lab knows, section by section."""
    tools = ("talosctl", "kubectl", "cosign", "etcdutl", "age", "gitleaks", "vault")
    return {
        "stack": {"name": name_of("Stack", "lab"), "kind": "lab", "cluster_uid": cluster.uid(binaries)},
        "paths": paths(overlay),
        "kube": {
            "kubeconfig": str(cluster.judges_kubeconfig()),
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
        "tools": {
            **{name: str(binaries / name) for name in tools if (binaries / name).exists()},
            "rclone": "/usr/bin/rclone",
            "openssl": "/usr/bin/openssl",
        },
        "registry": {"address": REGISTRY, "plain_http": True},
        "samples": samples,
        "api": {
            "url": f"https://{workers()[0].address}:{GATEWAY_PORT}",
            "ca": str(STATE / "ca.crt"),
            "host": API_HOST,
            "paths": [name_of("ApiPath", "/api/v1/items")],
        },
        "sops": sops.table(binaries, overlay),
        "drill": {"launcher": launcher(), **_signers()},
        "oidc": {
            "issuer": ISSUER,
            "ca": str(STATE / "ca.crt"),
            "signing_key": str(http_servers.OIDC / "signing.key"),
            "client_id": machineconfig.OIDC_CLIENT,
        },
    }


def write(binaries: Path, samples: dict[str, str], rollout: Rollout) -> None:
    """Write the profile: what is declared, and what only the running lab and its parts know."""
    declared: dict[str, Any] = tomllib.loads(here(tree.translated(PROJECT, DECLARED, NAMES, strict=False)))
    _platform(declared["platform"])
    known = [tables(binaries, samples, rollout.overlay)]
    known += [part.profile(rollout.context(part)) for part in rollout.parts]
    for name, section in ((name, section) for one in known for name, section in one.items()):
        declared[name] = _merged(declared.get(name, {}), section)
    declared["transactions"] = _transactions()
    absent = left_out(rollout.parts)
    if absent:
        rows = [{"control": control, "reason": reason} for control, reason in absent.items()]
        declared["not_applicable"] = [*declared.get("not_applicable", []), *rows]
    PATH.write_text("".join(table(name, body) for name, body in declared.items()))


def _transactions() -> list[dict[str, Any]]:
    """Return the profile's [[transactions]]: an order, whose row the auditor reads past the API."""
    path, table = name_of("ApiPath", "/api/v1/orders"), name_of("Table", "orders")
    mark = name_of("Column", "mark")
    return [
        {
            "name": "order",
            "path": path,
            "body": f'{{"{mark}": "{{mark}}"}}',
            "find": f"SELECT id FROM {table} WHERE {mark} = %(mark)s",  # noqa: S608 - the lab's own names
            "before": f"SELECT id, {mark} FROM {table} WHERE created < %(moment)s "  # noqa: S608 - as above
            "ORDER BY created DESC LIMIT 1000",
            "confirms": {"id": "id"},
            "read": f"{path}/{{row.id}}",
            "not_cleaned": "the API cannot remove an order; the lab does not live longer than a day",
        }
    ]


def _platform(platform: dict[str, Any]) -> None:
    """Add to the profile's [platform] what depends on the lab's names and folders."""
    platform["vault"]["config"] = str(source(VAULT))
    platform["vault"]["auth_mount"] = name_of("VaultAuth", "kubernetes")
    for service in platform["services"]:
        purpose = next(one for one in PREFIXES if name_of("StatefulService", one) == service["name"])
        service.setdefault("prefix", f"{name_of('Prefix', PREFIXES[purpose])}/")
        service.setdefault("backup", MADE[purpose])
        service.setdefault("key", name_of("File", ESCROWED[purpose]))
        service.setdefault("section", name_of("Section", SECTIONS[purpose]))
        if purpose == "vault":
            service.setdefault("shares", f"{name_of('File', 'vault-share')}-*")
        if purpose == "postgres":
            service.setdefault("settings", str(source(PGBACKREST)))


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return both tables as one; inner tables are merged, so that several parts can fill one."""
    both = {**old, **new}
    for key in old.keys() & new.keys():
        if isinstance(old[key], dict) and isinstance(new[key], dict):
            both[key] = {**old[key], **new[key]}
    return both


def table(name: str, body: dict[str, Any] | list[dict[str, Any]]) -> str:
    """Return one section of a profile, or one list of tables, as TOML with everything below it."""
    if isinstance(body, list):
        return "".join(f"[[{name}]]\n{_rows(row)}\n" for row in body)
    inner = {key: value for key, value in body.items() if _nested(value)}
    plain = {key: value for key, value in body.items() if key not in inner}
    head = f"[{name}]\n{_rows(plain)}\n" if plain or not inner else ""
    return head + "".join(table(f"{name}.{json.dumps(key)}", value) for key, value in inner.items())


def _nested(value: object) -> bool:
    """Return whether a value needs its own section: a list of tables, or a table with more than texts."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) for one in value)
    return isinstance(value, dict) and any(not isinstance(one, str) for one in value.values())


def _rows(body: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in body.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value)
