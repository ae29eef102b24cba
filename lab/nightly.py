"""The nightly judge of gitops/nightly on the lab: its account, its roles, credentials with just these rights.

The roles and Vault's policy are those that `assay rights` generates.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab import cluster, machineconfig, profile
from lab.deploy import Cluster, Manifest
from lab.layout import controls, source


FOLDER = "gitops/nightly"
SPACE, ACCOUNT = "assay", "nightly"
GRANT = f"ClusterRoleBinding assay-{ACCOUNT} -> ServiceAccount {SPACE}/{ACCOUNT}"
LIFE = "--duration=2h"
APPLY = ("apply", "--server-side", "--force-conflicts", "--field-manager=gitops")
# The lab has no storage that a claim could be bound to.
LEFT_OUT = frozenset({"PersistentVolumeClaim"})


def documents(kubectl: Cluster) -> list[Manifest]:
    """Return what gitops/nightly holds, but for the claim; the CronJob never starts.

    The suite's own image is not built for the lab: a signed sample stands in its place, since the gate admits
    no other.
    """
    found = [one for one in kubectl.rendered(source(FOLDER)) if one["kind"] not in LEFT_OUT]
    for one in found:
        if one["kind"] == "CronJob":
            one["spec"]["suspend"] = True
            (container,) = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
            container["image"] = tomllib.loads(profile.PATH.read_text())["samples"]["signed"]
    return found


@contextmanager
def installed(kubectl: Cluster) -> Iterator[None]:
    """Apply gitops/nightly, and remove it on every way out.

    Raises:
        NotReadyError: the API or an admission webhook refuses it.
    """
    made = documents(kubectl)
    try:
        kubectl.call(*APPLY, "-f", "-", send=yaml.safe_dump_all(made))
        yield
    finally:
        kubectl.call("delete", "--ignore-not-found", "--wait=false", "-f", "-", send=yaml.safe_dump_all(made))


def kubeconfig(kubectl: Cluster, file: Path) -> Path:
    """Write a kubeconfig with a token of the account, which ends by itself, and return its path."""
    token = kubectl.call("create", "token", ACCOUNT, "-n", SPACE, LIFE).strip()
    admin = yaml.safe_load(cluster.KUBECONFIG.read_text())
    admin["users"] = [{"name": one["name"], "user": {"token": token}} for one in admin["users"]]
    return _private(file, yaml.safe_dump(admin))


def talosconfig(binaries: Path, file: Path, role: str) -> Path:
    """Write a talosconfig of one role for eight hours, and return its path."""
    file.unlink(missing_ok=True)
    first = controls()[0].address
    words = ("config", "new", "--roles", role, "--crt-ttl", "8h", str(file))
    cluster.talosctl(binaries, "-n", first, "-e", first, *words)
    machineconfig.endpoints(file)
    return file


def write_profile(kubectl: Cluster, binaries: Path, folder: Path) -> Path:
    """Write the running lab's profile with the nightly judge's own credentials, and return its path.

    Vault's token has the generated policy already. The grant to the judge itself equals administrator, so
    it is declared, as its owner has to do.
    """
    known: dict[str, Any] = tomllib.loads(profile.PATH.read_text())
    known["kube"]["kubeconfig"] = str(kubeconfig(kubectl, folder / "kubeconfig"))
    known["talos"]["config"] = str(talosconfig(binaries, folder / "talosconfig", "os:admin"))
    known["talos"]["reader_config"] = str(talosconfig(binaries, folder / "talosconfig-reader", "os:reader"))
    known["platform"]["identity"]["administrators"].append(GRANT)
    text = "".join(profile.table(name, body) for name, body in known.items())
    return _private(folder / "stack.toml", text)


def with_reader(stack: Path) -> Path:
    """Write the same profile without a talosconfig beyond os:reader, and return its path."""
    known: dict[str, Any] = tomllib.loads(stack.read_text())
    del known["talos"]["config"]
    text = "".join(profile.table(name, body) for name, body in known.items())
    return _private(stack.with_name("stack-reader.toml"), text)


def verdicts(evidence: Path) -> dict[tuple[str, str], str]:
    """Return (control, tier) -> verdict and reason of a run, from its evidence."""
    rows = [json.loads(line) for line in evidence.read_text().splitlines()]
    return {
        (row["control"], row["tier"]): f"{row['verdict']} {row.get('reason', '')}".strip()
        for row in rows
        if row.get("verdict") and row.get("tier")
    }


def _private(file: Path, content: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(content)
    return file
