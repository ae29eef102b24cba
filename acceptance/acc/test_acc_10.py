"""ACC-10: every service has a recovery point objective, and its backups keep it."""

import time

import pytest

from assay.backups import schedules
from assay.backups.retention import segments
from assay.backups.stateful import inventory
from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("ACC-10", tier="static")
def test_schedules_keep_the_objectives(stack: ReadStack, control: Record) -> None:
    """Judge the longest time between two runs and the longest run against the declared objective."""
    mark = stack.platform.annotations.backup_of
    for job in control.population(schedules.declared_schedules(stack.manifests, mark)):
        rpo = stack.profile.rpo(job.service)
        if rpo is None:
            control.offender(job, "no rpo_s is declared for its service")
        elif job.suspended or job.deadline is None:
            control.offender(job, "suspended, or nothing limits one run")
        elif job.interval + job.deadline > rpo:
            control.offender(job, f"{job.interval + job.deadline:.0f} s between points")
    assert not control.found


@pytest.mark.control("ACC-10", tier="live")
def test_newest_points_keep_the_objectives(stack: ReadStack, control: Record) -> None:
    """Ask the object storage for the newest point of every service that the live cluster holds state of."""
    items = inventory(stack.kube, stack.platform)
    control.offenders((one for one in items if not one.service), "belongs to no service that is backed up")
    for service in control.population(sorted({item.service for item in items} - {""})):
        rpo, bucket = stack.profile.rpo(service), stack.s3.buckets.get(service)
        if rpo is None or bucket is None:
            control.offender(f"Service {service}", "no objective or no bucket is declared")
            continue
        shown = [one for one in stack.s3.versions(bucket) if one.shown]
        control.population(shown)
        newest = max(shown, key=lambda one: one.modified)
        age = time.time() - newest.modified.timestamp()
        if service == "postgres" and (waiting := stack.sql.unarchived(segments(shown))) is not None:
            control.note("unarchived", f"nothing older than {waiting:.0f} s; newest object {age:.0f} s old")
            age = min(age, waiting)
        control.measured(age, "s", f"age_{service}")
        if age > rpo:
            control.offender(f"Service {service}", f"newest point {age:.0f} s old")
        if service == "etcd":
            point = stack.points.open(newest)
            if point.fault:
                control.offender(f"Service {service}", point.fault)
    assert not control.found
