"""ACC-07: each stateful service comes back from object storage alone in less than half an hour."""

import pytest

from assay.backups.stateful import inventory
from assay.model import Record
from assay.stack import DrillStack, ReadStack


@pytest.mark.control("ACC-07")
def test_each_service_comes_back_in_time(stack: ReadStack, control: Record) -> None:
    """Restore every service that the live cluster holds state of, or take a young record; budgets count."""
    items = control.population(inventory(stack.kube, stack.platform))
    control.offenders((one for one in items if not one.service), "belongs to no service that is restored")
    control.offenders(stack.restores.rejected)
    for service in sorted({one.service for one in items} - {""}):
        due = stack.restores.is_due(service, control.limit("age"))
        if not (due and stack.restores.has_drill(service)):
            judge_record(stack, control, service, due=due)
        elif drilled := stack.if_allowed(DrillStack, control, f"the restore of {service}"):
            drilled.drills.restore(service).report(control, stack.profile.rpo(service))
        capacity = stack.restores.capacity(service, control.limit("restore"))
        control.note(f"{service}: largest size in time", capacity)
    assert not control.found


def judge_record(stack: ReadStack, control: Record, service: str, *, due: bool) -> None:
    """Judge a service by its newest record; `due` says that a younger one is needed."""
    known = stack.restores.newest().get(service)
    if known is None:
        control.offender(f"Restore {service}", "there is no record of one, and no drill of it")
        return
    known.report(control, stack.profile.rpo(service))
    if due:
        control.offender(known, f"is older than {control.limit('age'):.0f} h, and no drill restores it")
