"""ACC-10: backups too seldom for the objective, a service without one, a newest point of nothing."""

import re
from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.state import unmapped_claim
from assay.proof.violation import violation
from assay.writers.restore_points import RestorePointWriter


def job_of(plant: Plant, service: str) -> str:
    """Return the pattern of the annotation of the job that backs up a service."""
    return rf"{re.escape(plant.profile.platform.annotations.backup_of)}: {service}\b"


@violation(tier="static")
def too_seldom(plant: Plant) -> Iterator[Named]:
    """A snapshot is taken every six hours only."""
    pattern = rf"({job_of(plant, 'etcd')}(?:.|\n)*?\n  schedule: ).*$"
    with plant.substituted("gitops", pattern, r'\1"7 */6 * * *"', "*.yaml") as path:
        yield plant.located(path, "apiVersion: batch/v1")


@violation(tier="static")
def undeclared_service(plant: Plant) -> Iterator[Named]:
    """A backup of a service that has no declared objective."""
    key = plant.profile.platform.annotations.backup_of
    with plant.substituted("gitops", job_of(plant, "etcd"), f"{key}: queue", "*.yaml") as path:
        yield plant.located(path, "apiVersion: batch/v1")


@violation(tier="live")
def newest_is_rubbish(plant: Plant) -> Iterator[Named]:
    """The newest object is recent but cannot be restored from."""
    with RestorePointWriter.from_profile(plant.profile).uploaded(b"not a snapshot", "rubbish"):
        yield Named("Service etcd")


@violation(tier="live")
def claim_of_no_service(plant: Plant) -> Iterator[Named]:
    """A PersistentVolumeClaim that belongs to no service, so nothing backs it up."""
    yield from unmapped_claim(plant)
