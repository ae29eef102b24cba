"""SEC-33: snapshots of etcd are taken on schedule with the smallest right, and the newest one restores."""

import time
from collections.abc import Iterable, Sequence

import pytest

from assay.backups import schedules
from assay.config.platform import MIGHTY_ROLES
from assay.model import Offender, Record
from assay.probes.talos.configuration import pod_roles
from assay.probes.talos.machineconfigs import PodAccess, pod_access
from assay.stack import ReadStack


@pytest.mark.control("SEC-33", tier="static")
def test_snapshots_are_declared_with_the_smallest_right(stack: ReadStack, control: Record) -> None:
    """Judge schedule, account and machine configuration as they are written."""
    further, etcd = stack.platform.pod_roles, stack.platform.etcd.name
    jobs, accounts = list[schedules.Schedule](), list[schedules.TalosAccount]()
    access = list[PodAccess]()
    with control.part("the manifests"):
        declared = schedules.declared_schedules(stack.manifests, stack.platform)
        jobs = [job for job in declared if job.service == etcd]
        accounts = schedules.declared_accounts(stack.manifests)
    with control.part("the machine configuration"):
        access = declared_access(stack)
    control.population([*jobs, *accounts, *access])
    control.offenders((job for job in jobs if job.suspended), "suspended")
    allowed = control.limit("snapshot_age")
    control.offenders((job for job in jobs if job.interval > allowed), "runs less often than declared")
    control.offenders(Offender(one.ref, why) for one in accounts if (why := one.fault(jobs, further)))
    control.offenders(Offender(one.ref, why) for one in access if (why := too_wide(one.roles, further)))
    assert not control.found


@pytest.mark.control("SEC-33", tier="live")
def test_newest_snapshot_restores(stack: ReadStack, control: Record) -> None:
    """Fetch the newest one as a restore would, and restore it in a scratch place."""
    further, etcd = stack.platform.pod_roles, stack.platform.etcd.name
    found = schedules.live_schedules(stack.kube.objects("CronJob", version="batch/v1"), stack.platform)
    jobs = [job for job in found if job.service == etcd]
    control.note("taken by", ", ".join(job.ref for job in jobs) or "nothing in the cluster")
    control.offenders((job for job in jobs if job.suspended), "suspended")
    accounts = schedules.live_accounts(stack.kube)
    control.offenders(Offender(one.ref, why) for one in accounts if (why := one.fault(jobs, further)))
    for machine in control.population(stack.talos.controlplanes):
        if why := too_wide(stack.talos.pod_roles(machine), further):
            control.offender(machine, why)
    newest = control.population(stack.points.snapshots())[0]
    control.ask(f"{newest.ref} version {newest.id}")
    age = control.measured(time.time() - newest.modified.timestamp(), "s", "snapshot_age")
    point = stack.points.open(newest)
    control.note("bytes unpacked", point.size)
    if point.fault:
        control.offender(point, point.fault)
    if age > control.limit("snapshot_age"):
        control.offender(newest, f"is {age:.0f} s old")
    assert not control.found


def declared_access(stack: ReadStack) -> list[PodAccess]:
    """Return what pods may ask of Talos by templates and patches, and by configurations as rendered."""
    known = stack.rendered_if_any
    written = pod_access(stack.paths.talos) if stack.paths.declared.talos or not known else []
    rendered = [(one.ref, pod_roles(one.documents)) for one in known]
    return [*written, *(PodAccess(ref, tuple(sorted(roles)), ()) for ref, roles in rendered if roles)]


def too_wide(roles: Iterable[str], further: Sequence[str]) -> str:
    """Return why pods may ask for too much, empty if they may not: mighty roles are never declared."""
    known = {schedules.ROLE, *further} - set(MIGHTY_ROLES)
    more = sorted(set(roles) - known)
    return f"pods may ask for {', '.join(more)}, which is not among pod_roles" if more else ""
