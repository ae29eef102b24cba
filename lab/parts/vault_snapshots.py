"""Backups of Vault: a CronJob that takes, encrypts and uploads a snapshot of its storage."""

from __future__ import annotations

from dataclasses import replace

from lab import sops
from lab.deploy import Manifest
from lab.layout import name_of
from lab.parts import backups
from lab.parts.part import Context, Part, apply_all
from lab.parts.secrets import authority


IDENTITY = name_of("File", "vault-backup.agekey")
SCHEDULE = name_of("CronJob", "vault-snapshot")
SETTINGS = name_of("ConfigMap", "vault-snapshot-settings")


def secrets(context: Context) -> list[Manifest]:
    """Return the bucket's writer key: the job's one Secret, since Vault accepts its service account."""
    return [backups.writer(context, "vault")]


def deploy(context: Context) -> None:
    """Apply the schedule and take a first snapshot now."""
    more = {"AGE_RECIPIENT": sops.recipient(sops.identity(context.escrow, IDENTITY))}
    documents = backups.settled(context.documents, SETTINGS, more)
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
