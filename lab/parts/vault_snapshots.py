"""Backups of Vault: a CronJob that takes a snapshot of its storage, encrypts and uploads it."""

from __future__ import annotations

from dataclasses import replace

from lab import sops
from lab.deploy import Manifest
from lab.parts import backups
from lab.parts.part import Context, Part, apply_all
from lab.parts.secrets import authority


IDENTITY = "vault-backup.agekey"
SCHEDULE = "vault-snapshot"


def secrets(context: Context) -> list[Manifest]:
    """Return the writer key of the bucket: the job's one Secret, for Vault knows its service account."""
    return [backups.writer(context, "vault")]


def deploy(context: Context) -> None:
    """Apply the schedule and take the first snapshot at once."""
    more = {"AGE_RECIPIENT": sops.recipient(sops.identity(context.escrow, IDENTITY))}
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
    secrets=secrets,
    deploy=deploy,
)
