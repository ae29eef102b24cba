"""The one way to a drill of a stack: each is made when it is asked for, and its result comes back typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING

from assay.config.platform import Service
from assay.config.profile import Profile
from assay.drills import specs
from assay.drills.specs import DrillSpec
from assay.errors import AssumptionError


if TYPE_CHECKING:
    from assay.drills.controlplane import ControlPlaneReport
    from assay.drills.restore.drill import RestoreDrill
    from assay.drills.restore.result import RestoreResult
    from assay.drills.rotation import RotationDrill

MakeRestore = Callable[[Profile, Path, Service], "RestoreDrill"]


# A drill's clients are imported where it is made: the command line knows the drills without them.


def _etcd(profile: Profile, runbook: Path, service: Service) -> RestoreDrill:
    from assay.drills.restore.etcd import EtcdRestore

    return EtcdRestore(profile, runbook, service)


def _postgres(profile: Profile, runbook: Path, service: Service) -> RestoreDrill:
    from assay.drills.restore.postgres import PostgresRestore

    return PostgresRestore(profile, runbook, service)


def _oldest_postgres(profile: Profile, runbook: Path, service: Service) -> RestoreDrill:
    from assay.drills.restore.postgres_oldest import OldestPostgresRestore

    return OldestPostgresRestore(profile, runbook, service)


def _vault(profile: Profile, runbook: Path, service: Service) -> RestoreDrill:
    from assay.drills.restore.vault import VaultRestore

    return VaultRestore(profile, runbook, service)


# Restores of the newest and of the oldest backup, by the way in which the backups are made.
RESTORES: Mapping[str, tuple[DrillSpec, MakeRestore]] = {
    "etcd-snapshot": (specs.ETCD, _etcd),
    "pgbackrest": (specs.POSTGRES, _postgres),
    "barman": (specs.POSTGRES, _postgres),
    "vault-snapshot": (specs.VAULT, _vault),
}
OLDEST_RESTORES: Mapping[str, tuple[DrillSpec, MakeRestore]] = {
    "pgbackrest": (specs.OLDEST_POSTGRES, _oldest_postgres),
    "barman": (specs.OLDEST_POSTGRES, _oldest_postgres),
}


class Drills:
    """The drills of one stack; one run of a drill serves every control of a session."""

    def __init__(
        self,
        profile: Profile,
        runbook: Callable[[], Path],
        note: Callable[[Set[str]], None] = lambda _: None,
    ) -> None:
        """Drill the stack of `profile`.

        Args:
            profile: the stack.
            runbook: returns the runbook that restores follow.
            note: is told the systems that are asked.
        """
        self._profile, self._runbook, self._note = profile, runbook, note

    def control_planes(self) -> ControlPlaneReport:
        """Return the report on losing each control plane once; errors as for ControlPlaneDrill.result."""
        from assay.drills.controlplane import ControlPlaneDrill

        self._note(specs.CONTROL_PLANES.systems)
        return ControlPlaneDrill.from_profile(self._profile).result()

    def restore(self, service: Service) -> RestoreResult:
        """Return what restoring the newest backup of a service found; errors as for RestoreDrill.result.

        Raises:
            AssumptionError: no drill restores it.
        """
        return self._restored(RESTORES, service)

    def restore_oldest(self, service: Service) -> RestoreResult:
        """Return what restoring the oldest backup of a service found; errors as for `restore`."""
        return self._restored(OLDEST_RESTORES, service)

    def restores_oldest(self, service: Service) -> bool:
        """Return whether a drill restores the oldest backup of a service: as `has_drill` of the newest."""
        return service.backup in OLDEST_RESTORES and bool(service.section)

    def _restored(
        self, known: Mapping[str, tuple[DrillSpec, MakeRestore]], service: Service
    ) -> RestoreResult:
        if service.backup not in known:
            raise AssumptionError(
                f"no drill restores {service.name}, whose backups are made by {service.backup or 'nothing'}",
                "bring the record of a restore in signed: docs/restore-records.md",
            )
        spec, make = known[service.backup]
        self._note(spec.systems)
        return make(self._profile, self._runbook(), service).result()

    def rotation(self) -> RotationDrill:
        """Return the drill that rotates a login at the source; errors as for RotationDrill.from_profile."""
        from assay.drills.rotation import RotationDrill

        self._note(specs.ROTATION.systems)
        return RotationDrill.from_profile(self._profile)
