"""ACC-10: backups too seldom for the objective, a service without one, a newest point of nothing."""

import re
from collections.abc import Iterator

from assay.backups.places import bucket_of
from assay.backups.postgres_archive import LAYOUTS
from assay.errors import GuardError
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.state import unmapped_claim
from assay.proof.violation import violation
from assay.writers.restore_points import UNOPENABLE, RestorePointWriter


LEAST_LOG = 3


def job_of(plant: Plant, service: str) -> str:
    """Return the pattern of the annotation of the job that backs up a service."""
    return rf"{re.escape(plant.profile.platform.annotations.backup_of)}: {service}\b"


@violation(tier="static")
def too_seldom(plant: Plant) -> Iterator[Named]:
    """A snapshot is taken every six hours only."""
    pattern = rf"({job_of(plant, plant.profile.platform.etcd.name)}(?:.|\n)*?\n  schedule: ).*$"
    with plant.substituted("gitops", pattern, r'\1"7 */6 * * *"', "*.yaml") as path:
        yield plant.located(path, "apiVersion: batch/v1")


@violation(tier="static")
def undeclared_service(plant: Plant) -> Iterator[Named]:
    """A backup of a service that has no declared objective."""
    key = plant.profile.platform.annotations.backup_of
    with plant.substituted(
        "gitops", job_of(plant, plant.profile.platform.etcd.name), f"{key}: queue", "*.yaml"
    ) as path:
        yield plant.located(path, "apiVersion: batch/v1")


def _unopenable(name: str, what: str, backup: str) -> None:
    """Register a violation that uploads a newest snapshot which looks encrypted and does not open."""

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        service = plant.targets.backed_up(backup)
        with RestorePointWriter.from_profile(plant.profile, service).uploaded(UNOPENABLE, "rubbish"):
            yield Named(f"Service {service.name}")


_unopenable("newest_is_rubbish", "The newest snapshot of etcd is recent but does not open.", "etcd-snapshot")
_unopenable("newest_of_vault", "The newest snapshot of Vault is recent but does not open.", "vault-snapshot")


@violation(tier="live")
def log_without_a_base(plant: Plant) -> Iterator[Named]:
    """No base backup of PostgreSQL has a manifest, while its log is a minute old."""
    service = plant.targets.backed_up("pgbackrest")
    shown = plant.s3.shown(bucket_of(plant.profile, service))
    with plant.s3.hidden(*(one for one in shown if LAYOUTS["pgbackrest"].whole.search(one.key))):
        yield Named(f"Service {service.name}")


@violation(tier="live")
def log_with_a_gap(plant: Plant) -> Iterator[Named]:
    """A segment behind the newest base backup of PostgreSQL is missing: what follows cannot be replayed."""
    service = plant.targets.backed_up("pgbackrest")
    bucket = bucket_of(plant.profile, service)
    archive = plant.s3.archive(bucket)
    base = archive.newest().base
    later = sorted(name for name in archive.log if base is not None and name[8:] > base.begins[8:])
    if len(later) < LEAST_LOG:
        raise GuardError("the log is too short to plant a gap in", "wait until some segments are archived")
    chosen = [one for one in plant.s3.shown(bucket) if f"/{later[1]}-" in one.key]
    with plant.s3.hidden(*chosen):
        yield Named(f"Service {service.name}")


@violation(tier="live")
def claim_of_no_service(plant: Plant) -> Iterator[Named]:
    """A PersistentVolumeClaim that belongs to no service, so nothing backs it up."""
    yield from unmapped_claim(plant)
