"""ACC-10: every service has a recovery point objective, and its backups keep it."""

import datetime as dt

import pytest

from assay.backups import schedules
from assay.backups.postgres_archive import LAYOUTS
from assay.backups.stateful import inventory
from assay.config.platform import Service
from assay.errors import ProbeError
from assay.model import Record
from assay.stack import ReadStack


UNDECLARED = ("no recovery point objective is declared", "set rpo_s under [[platform.services]]")


@pytest.mark.control("ACC-10", tier="static")
def test_schedules_keep_the_objectives(stack: ReadStack, control: Record) -> None:
    """Judge the longest time between two runs and the longest run against the declared objective."""
    for job in control.population(schedules.declared_schedules(stack.manifests, stack.platform)):
        service = stack.platform.service(job.service)
        if service is None:
            control.offender(job, f"{job.service or 'what it backs up'} is no declared service")
        elif job.suspended or job.endless:
            control.offender(job, "suspended, or nothing limits one run")
        elif service.rpo_s is None:
            control.unchecked(job.ref, *UNDECLARED)
        elif service.backup not in LAYOUTS and job.interval + (job.deadline or 0) > service.rpo_s:
            control.offender(job, f"{job.interval + (job.deadline or 0):.0f} s between points")
    assert not control.found


@pytest.mark.control("ACC-10", tier="live")
def test_newest_points_keep_the_objectives(stack: ReadStack, control: Record) -> None:
    """Ask the object storage for the newest point of every service that the live cluster holds state of."""
    items = inventory(stack.kube, stack.platform)
    control.offenders((one for one in items if not one.service), "belongs to no service that is backed up")
    for name in control.population(sorted({item.service for item in items} - {""})):
        judge_newest(stack, control, stack.platform.holder(name))
    assert not control.found


def judge_newest(stack: ReadStack, control: Record, service: Service) -> None:
    """Judge the newest point of a service that opened, and that nothing newer fails to."""
    ref = f"Service {service.name}"
    try:
        point = stack.restorable.newest(service)
        control.offenders((ref for _ in point.faults[:1]), "; ".join(point.faults))
        age = point.age_s(dt.datetime.now(dt.UTC), lambda known: stack.sql.unarchived(known))
    except ProbeError as problem:
        control.unread(ref, problem)
        return
    if age is None:
        control.offender(ref, "no backup of it can be restored")
        return
    control.note(service.name, point.basis)
    control.measured(age, "s", f"age_{service.name}")
    if service.rpo_s is None:
        control.unchecked(f"age of {ref}", *UNDECLARED)
    elif age > service.rpo_s:
        control.offender(ref, f"newest point {age:.0f} s old")
