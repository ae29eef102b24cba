"""SEC-33: snapshots of etcd are taken on schedule with the smallest right, and the newest one restores."""

import time

import pytest

from assay.backups import schedules
from assay.model import Offender, Record
from assay.probes.talos.machineconfigs import pod_access
from assay.stack import ReadStack


SERVICE = "etcd"


@pytest.mark.control("SEC-33", tier="static")
def test_snapshots_are_declared_with_the_smallest_right(stack: ReadStack, control: Record) -> None:
    """Judge schedule, account and machine configuration as they are written."""
    declared = schedules.declared_schedules(stack.manifests, stack.platform.annotations.backup_of)
    jobs = [job for job in declared if job.service == SERVICE]
    accounts = schedules.declared_accounts(stack.manifests)
    control.population(jobs)
    control.population([one for one in accounts if any(one.name in job.secrets for job in jobs)])
    control.offenders((job for job in jobs if job.suspended), "suspended")
    allowed = control.limit("snapshot_age")
    control.offenders((job for job in jobs if job.interval > allowed), "runs less often than declared")
    control.offenders(Offender(one.ref, one.fault) for one in accounts if one.fault)
    access = control.population(pod_access(stack.paths.talos))
    wanted = (schedules.ROLE,)
    control.offenders((one for one in access if one.roles != wanted), "pods may ask for other roles")
    assert not control.found


@pytest.mark.control("SEC-33", tier="live")
def test_newest_snapshot_restores(stack: ReadStack, control: Record) -> None:
    """Fetch the newest one as a restore would, and restore it in a scratch place."""
    mark = stack.platform.annotations.backup_of
    jobs = schedules.live_schedules(stack.kube.objects("CronJob", version="batch/v1"), mark)
    etcd = control.population([job for job in jobs if job.service == SERVICE])
    control.offenders((job for job in etcd if job.suspended), "suspended")
    found = stack.kube.objects("ServiceAccount", version=schedules.TALOS)
    accounts = control.population(schedules.live_accounts(found))
    control.offenders(Offender(one.ref, one.fault) for one in accounts if one.fault)
    for machine in stack.talos.controlplanes:
        roles = stack.talos.pod_roles(machine)
        if roles != {schedules.ROLE}:
            control.offender(machine, "pods may ask for other roles")
    points = stack.points
    newest = control.population(points.snapshots())[0]
    control.ask(f"{newest.ref} version {newest.id}")
    age = control.measured(time.time() - newest.modified.timestamp(), "s", "snapshot_age")
    point = points.open(newest)
    control.note("bytes unpacked", point.size)
    if point.fault:
        control.offender(point, point.fault)
    if age > control.limit("snapshot_age"):
        control.offender(newest, f"is {age:.0f} s old")
    assert not control.found
