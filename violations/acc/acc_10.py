"""ACC-10: backups too seldom for the objective, a service without one, a newest point of nothing."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.restore_points import RestorePointWriter


FILE = "platform/backups/etcd-snapshot.yaml"


@violation(tier="static")
def too_seldom(plant: Plant) -> Iterator[Named]:
    """A snapshot every six hours."""
    with plant.edited("gitops", FILE, '"7,37 * * * *"', '"7 */6 * * *"') as path:
        yield plant.located(path, "apiVersion: batch/v1")


@violation(tier="static")
def undeclared_service(plant: Plant) -> Iterator[Named]:
    """A backup of something for which nobody declared an objective."""
    with plant.edited("gitops", FILE, "backup-of: etcd", "backup-of: queue") as path:
        yield plant.located(path, "apiVersion: batch/v1")


@violation(tier="live")
def newest_is_rubbish(plant: Plant) -> Iterator[Named]:
    """The newest object is fresh, and nothing restores from it."""
    with RestorePointWriter.from_profile(plant.profile).uploaded(b"not a snapshot", "rubbish"):
        yield Named("Service etcd")
