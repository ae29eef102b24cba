"""PostgreSQL in the lab: Debian's server under Patroni, pgBackRest to object storage, PgBouncer in front.

Images consist of Debian's packages and their dependencies; none of them is installed on the host.
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
from lab.layout import PROJECT, STATE, image, name_of, workers
from lab.oci import Entry, Image
from lab.parts.objectstore import WRITERS
from lab.parts.part import FIRST, Context, Part, Tables
from lab.parts.secrets import KINDS, authority, copied


SCRIPTS = PROJECT / "lab" / "components" / "postgres"
SERVER = ("postgresql-15", "patroni", "pgbackrest", "ca-certificates", "dash", "tzdata")
POOL = ("pgbouncer", "ca-certificates")
# Dependencies that matter only for installing or administering the packages on a Debian machine.
WITHOUT = tuple((SCRIPTS / "left-out.txt").read_text().split())
USER = 10026
OWNER = f"{USER}:{USER}"
SPACE = name_of("Namespace", "postgres")
MEMBERS, POOLER = name_of("StatefulSet", "postgres"), name_of("Deployment", "pgbouncer")
MEMBERS_SERVICE, LEADER = name_of("Service", "postgres-members"), name_of("Service", "postgres")
REPLICAS, POOL_SERVICE = name_of("Service", "postgres-replica"), name_of("Service", "pgbouncer")
SYNC = name_of("Service", "postgres-sync")
JOB = name_of("CronJob", "postgres-backup")
AUDITOR = name_of("DatabaseRole", "auditor")
PASSPHRASE = name_of("File", "pgbackrest-passphrase")
FOLDER = STATE / "postgres"
DIRECT_PORT = 30542
SUFFIX = f"{SPACE}.svc.cluster.local"
FIRST_BACKUP = f"{JOB}-first"


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
    repository, version = name_of("Image", f"platform/{name}"), apt_packages.version(root, packages[0])
    return Image(repository, version, entries, (entrypoint,), user)


def _public_authorities(root: Path) -> bytes:
    """Return the bundle that installing ca-certificates would write."""
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
        "metadata": {
            "name": name_of("Secret", name),
            "namespace": SPACE,
            "labels": {"app.kubernetes.io/part-of": name_of("Part", "postgres")},
        },
        "data": encoded,
    }


def _tls(context: Context, secret: str, name: str, sans: tuple[str, ...] = ()) -> Manifest:
    pair = _pair(context, name, sans)
    files = {"tls.crt": pair.cert, "tls.key": pair.key, "ca.crt": context.authority.cert}
    return _secret(secret, files, "kubernetes.io/tls")


def _passphrase(context: Context) -> str:
    """Return the repository's passphrase; it is in the escrow kit, since no backup opens without it."""
    path = context.escrow / PASSPHRASE
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(random.token_urlsafe(48))
    return path.read_text()


def _repository(context: Context) -> Manifest:
    key = json.loads((context.state / "objectstore" / "keys" / f"{WRITERS['postgres']}.json").read_text())
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
    """Return what cannot come from Vault: certificates, and the access to the encrypted repository."""
    nodes = tuple(node.address for node in workers())
    members = (f"*.{MEMBERS_SERVICE}.{SUFFIX}", f"{LEADER}.{SUFFIX}", f"{REPLICAS}.{SUFFIX}", *nodes)
    return [
        _tls(context, "postgres-tls", MEMBERS, members),
        _tls(context, "pgbouncer-tls", POOLER, (f"{POOL_SERVICE}.{SUFFIX}", *nodes)),
        _tls(context, "postgres-backup-tls", name_of("Certificate", "postgres-backup")),
        _repository(context),
    ]


def deploy(context: Context) -> None:
    """Apply everything, wait for a leader with a synchronous standby, and for a first backup.

    Raises:
        NotReadyError: something did not reach the desired state in four minutes.
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
    rolled_out(cluster, SPACE, POOLER)
    context.say("first base backup")
    backed_up(cluster)


def _auditor(cluster: Cluster) -> None:
    """Keep the read-only account's password for the suite, which runs outside the cluster."""
    data = cluster.get("secret", name_of("Secret", "postgres-auditor"), "-n", SPACE)["data"]
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    path = FOLDER / "auditor"
    path.touch(mode=0o600)
    path.write_bytes(base64.b64decode(data["password"]))


@waiting
def members_ready(cluster: Cluster) -> None:
    """Wait until both members are ready and one is the synchronous standby of the other."""
    found = cluster.get("statefulset", MEMBERS, "-n", SPACE)
    ready, wanted = found.get("status", {}).get("readyReplicas", 0), found["spec"]["replicas"]
    if ready != wanted:
        raise NotReadyError(f"StatefulSet {SPACE}/{MEMBERS}: {ready} of {wanted} members are ready")
    sync = cluster.get("endpoints", SYNC, "-n", SPACE)["metadata"].get("annotations", {})
    if not sync.get("sync_standby"):
        raise NotReadyError("PostgreSQL has no synchronous standby yet")


def backed_up(cluster: Cluster) -> None:
    """Ensure that the repository holds a base backup: run the nightly job once if it never ran."""
    try:
        cluster.get("job", FIRST_BACKUP, "-n", SPACE)
    except NotReadyError:
        cluster.call("create", "job", "-n", SPACE, f"--from=cronjob/{JOB}", FIRST_BACKUP)
    _job_done(cluster)


@waiting
def _job_done(cluster: Cluster) -> None:
    status = cluster.get("job", FIRST_BACKUP, "-n", SPACE).get("status", {})
    if not status.get("succeeded"):
        raise NotReadyError(
            f"Job {SPACE}/{FIRST_BACKUP}: {status.get('failed', 0)} attempts failed, none succeeded"
        )


def profile(context: Context) -> Tables:
    """Return how the suite reads the database directly, past the pool."""
    return {
        "sql": {
            "host": next(n.address for n in workers() if n.pool == name_of("Pool", "db")),
            "port": str(DIRECT_PORT),
            "ca": str(context.state / "ca.crt"),
            "dbname": name_of("Database", "shop"),
            "user": AUDITOR,
            "password": str(FOLDER / "auditor"),
        }
    }


PART = Part(
    name="postgres",
    needs=("objectstore", "secrets"),
    expected=90,
    images={"postgres": _server, "pgbouncer": _pool},
    names={name: image(f"platform/{name}") for name in ("postgres", "pgbouncer")},
    folders=("overlays/lab/postgres",),
    controls=("DEP-13", "DR-01", "SEC-26"),
    secrets=secrets,
    deploy=deploy,
    profile=profile,
)
