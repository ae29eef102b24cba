"""Meaningless data, so that restores can be timed at several sizes; nothing compresses it: the worst case."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable

from hvac.exceptions import InvalidPath

from lab import build, cluster
from lab.deploy import Cluster, NotReadyError, waiting
from lab.layout import STATE
from lab.parts import vault
from lab.vault import MOUNT, Escrow, Keeper


SPACE = FOLDER = TABLE = "ballast"
MIB = 1 << 20
# Of a ConfigMap and of an entry of Vault: below what etcd and raft take in one piece.
PIECE = MIB // 2
MEMBERS = ("postgres-0", "postgres-1")


def _etcd(kubectl: Cluster, mebibytes: int) -> None:
    """Fill ConfigMaps of a namespace of their own; etcd's file does not shrink when they go."""
    kubectl.call("delete", "namespace", SPACE, "--ignore-not-found", "--timeout=50s")
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])
    for number in range(mebibytes * MIB // PIECE):
        kubectl.apply([_piece(number)])


def _piece(number: int) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"piece-{number}", "namespace": SPACE},
        "binaryData": {"piece": base64.b64encode(secrets.token_bytes(PIECE)).decode()},
    }


def _vault(_: Cluster, mebibytes: int) -> None:
    """Fill entries of a folder of their own; every earlier one goes first."""
    keeper = Keeper(vault.addresses(), STATE / "ca.crt", Escrow(STATE / "escrow" / vault.SHARES))
    with keeper.root() as root:
        kv = root.secrets.kv.v2
        try:
            there = kv.list_secrets(FOLDER, mount_point=MOUNT)["data"]["keys"]
        except InvalidPath:
            there = []
        for name in there:
            kv.delete_metadata_and_all_versions(f"{FOLDER}/{name}", mount_point=MOUNT)
        for number in range(mebibytes * MIB // PIECE):
            text = secrets.token_hex(PIECE // 2)
            kv.create_or_update_secret(f"{FOLDER}/piece-{number}", {"piece": text}, mount_point=MOUNT)


def _postgres(kubectl: Cluster, mebibytes: int) -> None:
    """Fill a table, and take a base backup, so that it is data that comes back and not the log of it."""
    piece = "decode(string_agg(md5(random()::text || n), ''), 'hex')"
    more = f"INSERT INTO {TABLE} SELECT {piece} FROM generate_series(1, {MIB // 16}) n"  # noqa: S608
    _psql(kubectl, f"DROP TABLE IF EXISTS {TABLE}")
    if mebibytes:
        _psql(kubectl, f"CREATE TABLE {TABLE} (piece bytea NOT NULL)")
    for _ in range(mebibytes):
        _psql(kubectl, more)
    job = f"{TABLE}-backup-{time.time():.0f}"
    kubectl.call("create", "job", "-n", "postgres", "--from=cronjob/postgres-backup", job)
    _done(kubectl, job)


def _psql(kubectl: Cluster, statement: str) -> None:
    """Run a statement on the member that takes writes."""
    socket = ("-h", "/run/postgresql", "-U", "postgres", "-d", "shop")
    for pod in MEMBERS:
        ask = ("exec", "-n", "postgres", pod, "-c", "postgres", "--", "psql", "-X", "-q", "-A", "-t", *socket)
        if kubectl.call(*ask, "-c", "SELECT pg_is_in_recovery()").strip() == "f":
            kubectl.call(*ask, "-c", statement)
            return
    raise NotReadyError("no member of PostgreSQL takes writes")


@waiting
def _done(kubectl: Cluster, job: str) -> None:
    if not kubectl.get("job", job, "-n", "postgres").get("status", {}).get("succeeded"):
        raise NotReadyError(f"Job postgres/{job} has not succeeded yet")


FILLS: dict[str, Callable[[Cluster, int], None]] = {"etcd": _etcd, "postgres": _postgres, "vault": _vault}


def fill(service: str, mebibytes: int) -> None:
    """Let `service` hold so many MiB of ballast, none for 0; what there was before is replaced.

    Raises:
        NotReadyError: the service does not take it.
    """
    FILLS[service](Cluster(build.BINARIES / "kubectl", cluster.KUBECONFIG), mebibytes)
