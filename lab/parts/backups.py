"""Backups of etcd: a CronJob that takes, encrypts and uploads a snapshot, and the image that it runs.

The escrow kit gets what a restore needs and object storage does not hold: the age identity that decrypts the
snapshots, and the machines' secrets bundle with the cluster's CAs and its encryption key.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lab import sops
from lab.deploy import Cluster, Manifest, NotReadyError, waiting
from lab.images import BUSYBOX, GROUP, LOCAL, NOBODY, PASSWD, libraries
from lab.layout import image, name_of
from lab.machineconfig import CONFIG
from lab.oci import Entry, Image
from lab.parts.objectstore import WRITERS
from lab.parts.part import Context, Part, Tables, apply_all


VERSION = "1.0.0"
NAMESPACE = name_of("Namespace", "backups")
LABELS = {"app.kubernetes.io/part-of": name_of("Part", "backups")}
DEBIAN = (Path("/usr/bin/age"), Path("/usr/bin/rclone"), Path("/usr/bin/curl"))
OWN = ("talosctl", "etcdutl")
APPLETS = ("sh", "cat", "date", "rm", "sha256sum", "stat", "sleep")
IDENTITY, BUNDLE = name_of("File", "etcd-backup.agekey"), name_of("File", "talos-secrets.yaml")
STORAGE_CA = name_of("File", "object-storage-ca.crt")
SCHEDULE = name_of("CronJob", "etcd-snapshot")
SETTINGS = name_of("ConfigMap", "etcd-snapshot-settings")


def _image(binaries: Path) -> Image:
    """The tools of a backup: those of Talos and etcd, age, rclone, curl, and a shell to combine them."""
    entries = (
        *(Entry(f"{LOCAL}/{name}", 0o755, binaries / name) for name in OWN),
        *(Entry(f"usr/bin/{path.name}", 0o755, path) for path in DEBIAN),
        *libraries(DEBIAN),
        Entry("bin/busybox", 0o755, BUSYBOX),
        *(Entry(f"bin/{name}", link="busybox") for name in APPLETS),
        Entry("etc/passwd", 0o644, data=PASSWD),
        Entry("etc/group", 0o644, data=GROUP),
        Entry("etc/nsswitch.conf", 0o644, data=b"hosts: files dns\n"),
        Entry("tmp", 0o1777),
    )
    return Image(name_of("Image", "platform/backup"), VERSION, entries, ("/bin/sh",), NOBODY)


def writer(context: Context, purpose: str) -> Manifest:
    """Return the Secret with the writer key of the bucket for `purpose`."""
    key = json.loads((context.state / "objectstore" / "keys" / f"{WRITERS[purpose]}.json").read_text())
    name = name_of("Secret", f"{purpose}-backups-writer")
    meta = {"name": name, "namespace": NAMESPACE, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": meta, "stringData": key}


def secrets(context: Context) -> list[Manifest]:
    """Return the bucket's writer key: the job's one Secret that no controller creates."""
    return [writer(context, "etcd")]


def settled(documents: Iterable[Manifest], name: str, more: Mapping[str, str]) -> tuple[Manifest, ...]:
    """Return the documents with `more` in the ConfigMap `name`."""
    return tuple(_settled(document, name, more) for document in documents)


def _settled(document: Manifest, name: str, more: Mapping[str, str]) -> Manifest:
    if document["kind"] != "ConfigMap" or document["metadata"]["name"] != name:
        return document
    return {**document, "data": {**document["data"], **more}}


def _storage_ca(context: Context) -> Manifest:
    meta = {"name": name_of("ConfigMap", "object-storage-ca"), "namespace": NAMESPACE, "labels": LABELS}
    data = {"ca.crt": context.authority.cert.decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


@waiting
def _credential(context: Context) -> None:
    """Wait until Talos has created the job's credential."""
    context.cluster.get("secret", name_of("Secret", "etcd-snapshot"), "-n", NAMESPACE)


def taken(cluster: Cluster, schedule: str) -> None:
    """Run a schedule once, now, and wait until its snapshot is uploaded."""
    job = f"{schedule}-first"
    cluster.call("delete", "job", job, "-n", NAMESPACE, "--ignore-not-found")
    cluster.call("create", "job", job, "-n", NAMESPACE, f"--from=cronjob/{schedule}")
    _uploaded(cluster, job)


@waiting
def _uploaded(cluster: Cluster, job: str) -> None:
    status = cluster.get("job", job, "-n", NAMESPACE).get("status", {})
    if not status.get("succeeded"):
        raise NotReadyError(
            f"Job {NAMESPACE}/{job}: {status.get('failed', 0)} attempts failed, none succeeded"
        )


def deploy(context: Context) -> None:
    """Apply the schedule, take a first snapshot now, fill the escrow kit."""
    shutil.copyfile(CONFIG / "secrets.yaml", context.escrow / BUNDLE)
    (context.escrow / BUNDLE).chmod(0o600)
    (context.escrow / STORAGE_CA).write_bytes(context.authority.cert)
    more = {
        "AGE_RECIPIENT": sops.recipient(sops.identity(context.escrow, IDENTITY)),
        "RCLONE_CA_CERT": "/etc/object-storage/ca.crt",
    }
    documents = settled(context.documents, SETTINGS, more)
    apply_all(replace(context, documents=(*documents, _storage_ca(context))))
    _credential(context)
    taken(context.cluster, SCHEDULE)


def tables(context: Context) -> Tables:
    """Return the escrow kit and the tools that a restore needs."""
    tools = {"rclone": "/usr/bin/rclone", "age": "/usr/bin/age"}
    return {
        "escrow": {"folder": str(context.escrow), "reader_key": name_of("File", "s3-reader.json")},
        "tools": tools,
    }


PART = Part(
    name="backups",
    needs=("objectstore",),
    expected=30,
    packages={"age": "/usr/bin/age", "rclone": "/usr/bin/rclone", "curl": "/usr/bin/curl"},
    images={"backup": _image},
    names={"backup": image("platform/backup")},
    folders=("overlays/lab/backups",),
    controls=("SEC-33", "DR-01", "DR-03", "DR-04", "ACC-07", "ACC-10"),
    secrets=secrets,
    deploy=deploy,
    profile=tables,
)
