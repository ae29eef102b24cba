"""The drills: what each does to a stack, how that is put back, which control judges it, how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from assay.config.profile import Profile
from assay.drills.restore.records import Records
from assay.errors import AssumptionError


if TYPE_CHECKING:
    from assay.drills.controlplane import ControlPlaneDrill, ControlPlaneReport
    from assay.drills.restore.drill import RestoreDrill
    from assay.drills.restore.result import RestoreResult
    from assay.drills.rotation import RotationDrill

T = TypeVar("T", covariant=True)
Runbook = Callable[[], Path]


@dataclass(frozen=True, slots=True)
class DrillSpec(Generic[T]):
    """One drill.

    Attributes:
        name: as it is asked for.
        control: the control whose test carries it out and judges it.
        impact: what it does to the stack.
        rollback: how that is put back.
        minutes: how long it takes on the lab.
        systems: what it asks, by the sections of the profile; what stands in for one is recorded.
        make: makes the drill for a stack; the runbook is looked for by those that follow it.
    """

    name: str
    control: str
    impact: str
    rollback: str
    minutes: int
    systems: frozenset[str]
    make: Callable[[Profile, Runbook], T]


# A drill's clients are imported where it is made: the command line knows the drills without them.


def _control_planes(profile: Profile, _: Runbook) -> ControlPlaneDrill:
    from assay.drills.controlplane import ControlPlaneDrill

    return ControlPlaneDrill.from_profile(profile)


def _etcd(profile: Profile, runbook: Runbook) -> RestoreDrill:
    from assay.drills.restore.etcd import EtcdRestore

    return EtcdRestore(profile, runbook())


def _postgres(profile: Profile, runbook: Runbook) -> RestoreDrill:
    from assay.drills.restore.postgres import PostgresRestore

    return PostgresRestore(profile, runbook())


def _oldest_postgres(profile: Profile, runbook: Runbook) -> RestoreDrill:
    from assay.drills.restore.postgres_oldest import OldestPostgresRestore

    return OldestPostgresRestore(profile, runbook())


def _vault(profile: Profile, runbook: Runbook) -> RestoreDrill:
    from assay.drills.restore.vault import VaultRestore

    return VaultRestore(profile, runbook())


def _rotation(profile: Profile, _: Runbook) -> RotationDrill:
    from assay.drills.rotation import RotationDrill

    return RotationDrill.from_profile(profile)


CONTROL_PLANES = DrillSpec(
    "control-planes", "ACC-09", "every control plane loses power once, the etcd leader's first",
    "each is started again on its disks before the next one loses power", 5,
    frozenset({"drill", "kube", "etcd", "talos"}), _control_planes,
)  # fmt: skip
ROTATION = DrillSpec(
    "rotation", "SEC-26", "the password of a login without rights is changed, at the source only",
    "none is needed: the login keeps its new password", 2, frozenset({"kube", "vault"}), _rotation,
)  # fmt: skip
# Restores of the newest backup, by the service that they restore.
RESTORES: Mapping[str, DrillSpec[RestoreDrill]] = {
    "etcd": DrillSpec(
        "etcd", "DR-03", "all control planes lose their disks together",
        "the runbook restores etcd; if that fails, the old disks come back", 4,
        frozenset({"drill", "kube", "etcd", "talos", "s3"}), _etcd,
    ),
    "postgres": DrillSpec(
        "postgres", "DR-01", "nothing is lost: a database is restored twice, into a scratch namespace",
        "the namespace postgres-restored is deleted", 2, frozenset({"kube", "s3", "sql"}), _postgres,
    ),
    "vault": DrillSpec(
        "vault", "ACC-07", "nothing is lost: a Vault is restored into a scratch namespace",
        "the namespace vault-restored is deleted", 1, frozenset({"kube", "s3", "vault"}), _vault,
    ),
}  # fmt: skip
# Restores of the oldest backup, by the service that they restore.
OLDEST_RESTORES: Mapping[str, DrillSpec[RestoreDrill]] = {
    "postgres": DrillSpec(
        "postgres-oldest", "DR-08",
        "nothing is lost: a database is restored from its oldest base backup, into a scratch namespace",
        "the namespace postgres-restored is deleted", 3, frozenset({"kube", "s3", "sql"}), _oldest_postgres,
    ),
}  # fmt: skip
DRILLS: Mapping[str, DrillSpec[object]] = {
    one.name: one for one in (CONTROL_PLANES, *RESTORES.values(), *OLDEST_RESTORES.values(), ROTATION)
}


class Drills:
    """The drills of one stack; one run of a drill serves every control of a session."""

    def __init__(
        self,
        profile: Profile,
        runbook: Runbook,
        requested: str = "",
        note: Callable[[Set[str]], None] = lambda _: None,
    ) -> None:
        """Drill the stack of `profile`.

        Args:
            profile: the stack.
            runbook: returns the runbook that restores follow.
            requested: the one drill to run, by its name; empty: all that are due.
            note: is told the systems that are asked.
        """
        self._profile, self._runbook, self._requested, self._note = profile, runbook, requested, note

    @property
    def records(self) -> Records:
        """Return the records of earlier restores, each out of the object storage."""
        self._note({"s3"})
        return Records.from_profile(self._profile)

    def control_planes(self) -> ControlPlaneReport:
        """Return the report on losing each control plane once; errors as for ControlPlaneDrill.result."""
        return self._made(CONTROL_PLANES).result()

    def restore(self, service: str) -> RestoreResult:
        """Return what restoring the newest backup of a service found; errors as for RestoreDrill.result.

        Raises:
            AssumptionError: no drill restores it.
        """
        return self._restored(RESTORES, service)

    def restore_oldest(self, service: str) -> RestoreResult:
        """Return what restoring the oldest backup of a service found; errors as for `restore`."""
        return self._restored(OLDEST_RESTORES, service)

    def _restored(self, known: Mapping[str, DrillSpec[RestoreDrill]], service: str) -> RestoreResult:
        if service not in known:
            raise AssumptionError(f"no drill restores {service}", "assay drill plan lists the drills")
        return self._made(known[service]).result()

    def is_due(self, service: str, *, stale: bool) -> bool:
        """Return whether to restore `service` now: a drill can, and it was asked to or no record is new."""
        return service in RESTORES and (service == self._requested if self._requested else stale)

    def capacity(self, service: str, limit_s: float) -> str:
        """Return in words how large a service's data may grow and still be restored in `limit_s` seconds."""
        from assay.drills.restore.capacity import capacity_statement

        return capacity_statement(self.records.of(service), limit_s)

    def rotation(self) -> RotationDrill:
        """Return the drill that rotates a login at the source; errors as for RotationDrill.from_profile."""
        return self._made(ROTATION)

    def _made(self, spec: DrillSpec[T]) -> T:
        self._note(spec.systems)
        return spec.make(self._profile, self._runbook)
