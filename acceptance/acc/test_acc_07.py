"""ACC-07: each stateful service comes back from object storage alone in less than half an hour."""

import time

import pytest

from assay.backups.stateful import inventory
from assay.model import Record
from assay.stack import DrillStack


HOUR_S = 3600.0


@pytest.mark.control("ACC-07")
def test_each_service_comes_back_in_time(stack: DrillStack, control: Record) -> None:
    """Restore every service that the live cluster holds state of, or take today's record; budgets count."""
    items = inventory(stack.kube, stack.platform)
    for service in control.population(sorted({item.service for item in items} - {""})):
        known, rpo_s = stack.drills.records.newest().get(service), stack.profile.rpo(service)
        stale = known is None or known.age(time.time()) > control.limit("age") * HOUR_S
        if stack.drills.is_due(service, stale=stale):
            stack.drills.restore(service).report(control, rpo_s)
        elif known is not None:
            known.restore.report(control, rpo_s)
        else:
            control.offender(f"Restore {service}", "there is no record of one")
        capacity = stack.drills.capacity(service, control.limit("restore"))
        control.note(f"{service}: largest size in time", capacity)
    assert not control.found
