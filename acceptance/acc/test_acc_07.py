"""ACC-07: each stateful service comes back from object storage alone in less than half an hour."""

import time

import pytest

from assay.backups.stateful import inventory
from assay.drills.restore.capacity import capacity_statement
from assay.drills.restore.records import Records
from assay.drills.restore.result import restore_faults
from assay.model import Offender, Record
from assay.stack import Stack


HOUR = 3600.0


@pytest.mark.control("ACC-07")
def test_each_service_comes_back_in_time(stack: Stack, control: Record) -> None:
    """Restore every service that the live cluster holds state of, or take today's record; budgets count."""
    items = inventory(stack.kube, stack.platform)
    services = control.population(sorted({item.service for item in items} - {""}))
    records, limit = Records.from_profile(stack.profile), control.limit("restore")
    for service in services:
        kept = records.newest().get(service)
        stale = kept is None or kept.age(time.time()) > control.limit("age") * HOUR
        if stack.due(service, stale=stale):
            result = stack.restored(service)
            control.offenders(result.offenders if result else ())
            kept = records.newest().get(service) if result and result.restore else None
        if kept is None:
            control.offender(f"Restore {service}", "no record of one")
            continue
        restore, rpo = kept.restore, stack.profile.rpo(service)
        control.note(
            service,
            f"{restore.seconds:.0f} s ({restore.facts['parts']}) for {restore.data_bytes} bytes, "
            f"{restore.level}, {restore.facts['point']}",
        )
        control.note(f"{service}: largest size in time", capacity_statement(records.of(service), limit))
        control.offenders(Offender(restore.ref, why) for why in restore_faults(restore, limit, rpo))
        control.measured(restore.seconds, "s", "restore")
    assert not control.found
