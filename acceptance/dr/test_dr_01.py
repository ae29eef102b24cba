"""DR-01: PostgreSQL comes back from object storage alone, whole, in time, and to a point in time."""

import pytest

from assay.backups.postgres_archive import LAYOUTS
from assay.model import Record
from assay.stack import DrillStack, ReadStack


@pytest.mark.control("DR-01")
def test_postgres_comes_back(stack: ReadStack, control: Record) -> None:
    """Carry out the runbook's section word for word, or take a record that is young enough."""
    services = stack.platform.made_by(*LAYOUTS)
    control.assume(bool(services), f"no declared service has backups by {' or '.join(LAYOUTS)}")
    for service in control.population(services):
        known = stack.restores.newest().get(service.name)
        if known and not stack.restores.is_due(service, control.limit("age")):
            known.report(control, service.rpo_s)
        elif not stack.restores.has_drill(service):
            control.offender(f"Restore {service.name}", "no record is young enough, and no drill restores it")
        elif drilled := stack.if_allowed(DrillStack, control, f"the restore of {service.name}"):
            drilled.drills.restore(service).report(control, service.rpo_s)
        capacity = stack.restores.capacity(service.name, control.limit("restore"))
        control.note(f"{service.name}: largest size in time", capacity)
    control.offenders(stack.restores.rejected)
    assert not control.found
