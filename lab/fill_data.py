"""Fill a service with random data, so that its restore can be timed at several sizes.

Random data does not compress: the worst case for a restore.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable

from hvac.exceptions import InvalidPath

from lab import build, cluster
from lab.deploy import Cluster, NotReadyError, waiting
from lab.layout import STATE, name_of
from lab.parts import postgres, vault
from lab.parts.vault.server import MOUNT, Escrow, Keeper


SPACE = FOLDER = "fill-data"
TABLE = "fill_data"
MIB = 1 << 20
# Size of one ConfigMap and of one Vault entry: below the request limits of etcd and raft.
PIECE = MIB // 2
PODS = name_of("Pod", "postgres-0"), name_of("Pod", "postgres-1")
CONTAINER, DATABASE = name_of("Container", "postgres"), name_of("Database", "shop")


def _etcd(kubectl: Cluster, mebibytes: int) -> None:
    """Fill ConfigMaps in a namespace of their own; etcd's file does not shrink when they are deleted."""
    kubectl.call("delete", "namespace", SPACE, "--ignore-not-found", "--timeout=50s")
    _apply(kubectl, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    for number in range(mebibytes * MIB // PIECE):
        _apply(kubectl, _piece(number))


@waiting
def _apply(kubectl: Cluster, document: dict[str, object]) -> None:
    """Apply an object that is not the platform's, so not as its deployer."""
    kubectl.call("apply", "--server-side", "--field-manager=lab", "-f", "-", send=json.dumps(document))


def _piece(number: int) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"piece-{number}", "namespace": SPACE},
        "binaryData": {"piece": base64.b64encode(secrets.token_bytes(PIECE)).decode()},
    }


def _vault(_: Cluster, mebibytes: int) -> None:
    """Fill entries below a path of their own; earlier ones are deleted first."""
    keeper = Keeper(vault.addresses(), STATE / "ca.crt", Escrow(STATE / "escrow" / vault.SHARES))
    with keeper.root() as root:
        kv = root.secrets.kv.v2
        try:
            existing = kv.list_secrets(FOLDER, mount_point=MOUNT)["data"]["keys"]
        except InvalidPath:
            existing = []
        for name in existing:
            kv.delete_metadata_and_all_versions(f"{FOLDER}/{name}", mount_point=MOUNT)
        for number in range(mebibytes * MIB // PIECE):
            text = secrets.token_hex(PIECE // 2)
            kv.create_or_update_secret(f"{FOLDER}/piece-{number}", {"piece": text}, mount_point=MOUNT)


def _postgres(kubectl: Cluster, mebibytes: int) -> None:
    """Fill a table and take a base backup, so that a restore copies data instead of replaying WAL."""
    piece = "decode(string_agg(md5(random()::text || n), ''), 'hex')"
    more = f"INSERT INTO {TABLE} SELECT {piece} FROM generate_series(1, {MIB // 16}) n"  # noqa: S608
    _psql(kubectl, f"DROP TABLE IF EXISTS {TABLE}")
    if mebibytes:
        _psql(kubectl, f"CREATE TABLE {TABLE} (piece bytea NOT NULL)")
    for _ in range(mebibytes):
        _psql(kubectl, more)
    job = f"{FOLDER}-backup-{time.time():.0f}"
    kubectl.call("create", "job", "-n", postgres.SPACE, f"--from=cronjob/{postgres.JOB}", job)
    _done(kubectl, job)


def _psql(kubectl: Cluster, statement: str) -> None:
    """Run a statement on the member that accepts writes."""
    socket = ("-h", "/run/postgresql", "-U", "postgres", "-d", DATABASE)
    for pod in PODS:
        where = ("exec", "-n", postgres.SPACE, pod, "-c", CONTAINER)
        ask = (*where, "--", "psql", "-X", "-q", "-A", "-t", *socket)
        if kubectl.call(*ask, "-c", "SELECT pg_is_in_recovery()").strip() == "f":
            kubectl.call(*ask, "-c", statement)
            return
    raise NotReadyError("no PostgreSQL member accepts writes")


@waiting
def _done(kubectl: Cluster, job: str) -> None:
    if not kubectl.get("job", job, "-n", postgres.SPACE).get("status", {}).get("succeeded"):
        raise NotReadyError(f"Job {postgres.SPACE}/{job} has not succeeded yet")


FILLS: dict[str, Callable[[Cluster, int], None]] = {"etcd": _etcd, "postgres": _postgres, "vault": _vault}


def fill(service: str, mebibytes: int) -> None:
    """Fill `service` with random data, replacing earlier fill data; 0 only removes it.

    Raises:
        NotReadyError: the service does not accept the data.
    """
    FILLS[service](Cluster(build.BINARIES / "kubectl", cluster.KUBECONFIG), mebibytes)
