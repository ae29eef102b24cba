"""PostgreSQL in the lab: Debian's server under Patroni, pgBackRest to object storage, PgBouncer in front.

Images are made of Debian's packages and what they depend on; nothing of them is installed on the host.
"""

from __future__ import annotations

import base64
import json
import secrets as random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lab import apt_packages, pki, volumes
from lab.deploy import Cluster, Manifest, NotReadyError, rolled_out, waiting
from lab.images import GROUP, NOBODY, PASSWD
from lab.layout import NODES, PROJECT, STATE
from lab.oci import Entry, Image
from lab.parts.part import FIRST, Context, Part, Tables
from lab.parts.secrets import KINDS, authority, copied


SCRIPTS = PROJECT / "lab" / "components" / "postgres"
SERVER = ("postgresql-15", "patroni", "pgbackrest", "ca-certificates", "dash", "tzdata")
POOL = ("pgbouncer", "ca-certificates")
# What the packages ask for only to be installed or administered on a Debian machine.
WITHOUT = tuple((SCRIPTS / "left-out.txt").read_text().split())
USER = 10026
OWNER = f"{USER}:{USER}"
SPACE = "postgres"
FOLDER = STATE / "postgres"
DIRECT_PORT = 30542
SUFFIX = f"{SPACE}.svc.cluster.local"
FIRST_BACKUP = "postgres-backup-first"


@cache
def _unpacked(names: tuple[str, ...]) -> Path:
    return apt_packages.unpacked(names, WITHOUT)


def _image(name: str, packages: tuple[str, ...], entrypoint: str, user: str, *own: Entry) -> Image:
    root = _unpacked(packages)
    accounts = PASSWD + f"postgres:x:{USER}:{USER}:postgres:/run/patroni:/sbin/nologin\n".encode()
    base = (
        Entry("etc/passwd", 0o644, data=accounts),
        Entry("etc/group", 0o644, data=GROUP + f"postgres:x:{USER}:\n".encode()),
        Entry("etc/nsswitch.conf", 0o644, data=b"passwd: files\ngroup: files\nhosts: files dns\n"),
        Entry("tmp", 0o1777),
        Entry("run"),
        Entry("etc/ssl/certs/ca-certificates.crt", 0o644, data=_public_authorities(root)),
    )
    taken = {entry.path for entry in (*base, *own)}
    entries = (*(f for f in apt_packages.entries(root) if f.path not in taken), *base, *own)
    return Image(f"platform/{name}", apt_packages.version(root, packages[0]), entries, (entrypoint,), user)


def _public_authorities(root: Path) -> bytes:
    """Return the bundle that ca-certificates would write when it is installed."""
    return b"".join(p.read_bytes() for p in sorted((root / "usr/share/ca-certificates").rglob("*.crt")))


def _server(_binaries: Path) -> Image:
    scripts = [Entry(f"usr/local/lib/platform/{p.name}", 0o755, p) for p in sorted(SCRIPTS.glob("*.py"))]
    return _image("postgres", SERVER, "/usr/bin/python3", OWNER, Entry("usr/bin/sh", link="dash"), *scripts)


def _pool(_binaries: Path) -> Image:
    return _image("pgbouncer", POOL, "/usr/sbin/pgbouncer", NOBODY)


def _pair(context: Context, name: str, sans: tuple[str, ...] = ()) -> pki.Pair:
    """Return the certificate `name`, issued once."""
    cert, key = FOLDER / f"{name}.crt", FOLDER / f"{name}.key"
    if not cert.exists():
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        pki.issue(context.authority, name, sans=sans).write(cert, key)
    return pki.Pair(cert.read_bytes(), key.read_bytes())


def _secret(name: str, data: Mapping[str, bytes], kind: str = "Opaque") -> Manifest:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": {"name": name, "namespace": SPACE, "labels": {"app.kubernetes.io/part-of": SPACE}},
        "data": encoded,
    }


def _tls(context: Context, secret: str, name: str, sans: tuple[str, ...] = ()) -> Manifest:
    pair = _pair(context, name, sans)
    files = {"tls.crt": pair.cert, "tls.key": pair.key, "ca.crt": context.authority.cert}
    return _secret(secret, files, "kubernetes.io/tls")


def _passphrase(context: Context) -> str:
    """Return the repository's passphrase; it lives in the escrow kit, because no backup opens without it."""
    path = context.escrow / "pgbackrest-passphrase"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(random.token_urlsafe(48))
    return path.read_text()


def _repository(context: Context) -> Manifest:
    key = json.loads((context.state / "objectstore" / "keys" / "postgres-writer.json").read_text())
    lines = {
        "repo1-s3-key": key["access_key"],
        "repo1-s3-key-secret": key["secret_key"],
        "repo1-cipher-pass": _passphrase(context),
    }
    text = "[global]\n" + "".join(f"{name}={value}\n" for name, value in lines.items())
    return _secret(
        "postgres-repository", {"repository.conf": text.encode(), "ca.crt": context.authority.cert}
    )


def secrets(context: Context) -> list[Manifest]:
    """Return what cannot come from Vault: certificates, and how to write the encrypted repository."""
    nodes = tuple(node.address for node in NODES if not node.control)
    members = (f"*.postgres-members.{SUFFIX}", f"postgres.{SUFFIX}", f"postgres-replica.{SUFFIX}", *nodes)
    return [
        _tls(context, "postgres-tls", "postgres", members),
        _tls(context, "pgbouncer-tls", "pgbouncer", (f"pgbouncer.{SUFFIX}", *nodes)),
        _tls(context, "postgres-backup-tls", "postgres-backup"),
        _repository(context),
    ]


def deploy(context: Context) -> None:
    """Apply it all, wait for a leader with its synchronous standby, see a first backup made.

    Raises:
        NotReadyError: something did not show its wanted state in four minutes.
    """
    volumes.make(context.documents)
    cluster = context.cluster
    cluster.apply(authority(context.authority.cert, [SPACE]))
    cluster.apply([d for d in context.documents if d["kind"] not in FIRST])
    for document in context.documents:
        if document["kind"] in KINDS:
            copied(cluster, document)
    _auditor(cluster)
    members_ready(cluster)
    rolled_out(cluster, SPACE, "pgbouncer")
    context.say("first base backup")
    backed_up(cluster)


def _auditor(cluster: Cluster) -> None:
    """Keep the reading account's password for the suite, which runs outside of the cluster."""
    data = cluster.get("secret", "postgres-auditor", "-n", SPACE)["data"]
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    path = FOLDER / "auditor"
    path.touch(mode=0o600)
    path.write_bytes(base64.b64decode(data["password"]))


@waiting
def members_ready(cluster: Cluster) -> None:
    """Wait until both members are ready and one of them is the other's synchronous standby."""
    found = cluster.get("statefulset", "postgres", "-n", SPACE)
    ready, wanted = found.get("status", {}).get("readyReplicas", 0), found["spec"]["replicas"]
    if ready != wanted:
        raise NotReadyError(f"StatefulSet {SPACE}/postgres: {ready} of {wanted} members are ready")
    sync = cluster.get("endpoints", "postgres-sync", "-n", SPACE)["metadata"].get("annotations", {})
    if not sync.get("sync_standby"):
        raise NotReadyError("PostgreSQL has no synchronous standby yet")


def backed_up(cluster: Cluster) -> None:
    """See to it that the repository holds a base backup: run the nightly job once if it never ran."""
    try:
        cluster.get("job", FIRST_BACKUP, "-n", SPACE)
    except NotReadyError:
        cluster.call("create", "job", "-n", SPACE, "--from=cronjob/postgres-backup", FIRST_BACKUP)
    _job_done(cluster)


@waiting
def _job_done(cluster: Cluster) -> None:
    status = cluster.get("job", FIRST_BACKUP, "-n", SPACE).get("status", {})
    if not status.get("succeeded"):
        raise NotReadyError(
            f"Job {SPACE}/{FIRST_BACKUP}: {status.get('failed', 0)} failed, none succeeded yet"
        )


def profile(context: Context) -> Tables:
    """Return how the suite reads the database past the product's own path."""
    return {
        "sql": {
            "host": next(n.address for n in NODES if n.pool == "db"),
            "port": str(DIRECT_PORT),
            "ca": str(context.state / "ca.crt"),
            "dbname": "shop",
            "user": "auditor",
            "password": str(FOLDER / "auditor"),
        }
    }


PART = Part(
    name="postgres",
    needs=("objectstore", "secrets"),
    expected=90,
    images={"postgres": _server, "pgbouncer": _pool},
    names={name: f"registry.platform.example/platform/{name}" for name in ("postgres", "pgbouncer")},
    folders=("overlays/lab/postgres",),
    controls=("DEP-13", "DR-01", "SEC-26"),
    secrets=secrets,
    deploy=deploy,
    profile=profile,
)
