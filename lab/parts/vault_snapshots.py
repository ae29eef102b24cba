"""Backups of Vault: a CronJob that takes a snapshot of its storage, encrypts and uploads it."""

from __future__ import annotations

from dataclasses import replace

from lab.deploy import Manifest
from lab.parts import backups
from lab.parts.part import Context, Part, apply_all
from lab.parts.secrets import authority


IDENTITY = "vault-backup.agekey"
SCHEDULE = "vault-snapshot"


def before(context: Context) -> None:
    """Make the age identity of this lab's snapshots, once."""
    backups.identified(context, IDENTITY)


def secrets(context: Context) -> list[Manifest]:
    """Return the writer key of the bucket: the job's one Secret, for Vault knows its service account."""
    before(context)
    return [backups.writer(context, "vault")]


def deploy(context: Context) -> None:
    """Apply the schedule and take the first snapshot at once."""
    more = {"AGE_RECIPIENT": backups.recipient(context, IDENTITY)}
    documents = backups.settled(context.documents, f"{SCHEDULE}-settings", more)
    context.cluster.apply(authority(context.authority.cert, [backups.NAMESPACE]))
    apply_all(replace(context, documents=documents))
    backups.taken(context.cluster, SCHEDULE)


PART = Part(
    name="vault_snapshots",
    needs=("vault", "backups"),
    expected=20,
    names=backups.PART.names,
    folders=("overlays/lab/vault-snapshot",),
    before=before,
    secrets=secrets,
    deploy=deploy,
)
