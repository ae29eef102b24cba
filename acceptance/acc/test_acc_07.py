"""ACC-07: each stateful service comes back from object storage alone in less than half an hour."""

import pytest

from assay.backups.stateful import inventory
from assay.config.platform import Service
from assay.model import Record
from assay.stack import DrillStack, ReadStack


@pytest.mark.control("ACC-07")
def test_each_service_comes_back_in_time(stack: ReadStack, control: Record) -> None:
    """Restore every service that the live cluster holds state of, or take a young record; budgets count."""
    items = control.population(inventory(stack.kube, stack.platform))
    control.offenders((one for one in items if not one.service), "belongs to no service that is restored")
    control.offenders(stack.restores.rejected)
    for name in sorted({one.service for one in items} - {""}):
        service = stack.platform.holder(name)
        due = stack.restores.is_due(service, control.limit("age"))
        if not (due and stack.restores.has_drill(service)):
            judge_record(stack, control, service, due=due)
        elif drilled := stack.if_allowed(DrillStack, control, f"the restore of {name}"):
            drilled.drills.restore(service).report(control, service.rpo_s)
        control.note(f"{name}: largest size in time", stack.restores.capacity(name, control.limit("restore")))
    assert not control.found


def judge_record(stack: ReadStack, control: Record, service: Service, *, due: bool) -> None:
    """Judge a service by its newest record; `due` says that a younger one is needed."""
    known = stack.restores.newest().get(service.name)
    if known is None:
        control.offender(f"Restore {service.name}", "there is no record of one, and no drill of it")
        return
    known.report(control, service.rpo_s)
    if due:
        control.offender(known, f"is older than {control.limit('age'):.0f} h, and no drill restores it")
