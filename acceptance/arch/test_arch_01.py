"""ARCH-01: three control planes, declared and alive."""

from functools import partial

import pytest

from assay.drills.faults.quorum import judge_members, judge_status
from assay.model import Record
from assay.probes.talos.control_planes import declared_planes, planes_below
from assay.probes.terraform.declared import GIVE_PLAN, Declared
from assay.probes.terraform.hetzner import Server, miscounted, servers
from assay.stack import ReadStack


ELSEWHERE = (
    f"{GIVE_PLAN}; or set machineconfigs to what each node is configured with, or talos to talhelper's files"
)


@pytest.mark.control("ARCH-01", tier="static")
def test_three_control_planes_are_declared(stack: ReadStack, control: Record) -> None:
    """Count them wherever the platform declares them.

    Terraform (plans, sources, states), rendered machine configurations, Cluster API, Omni, talhelper: each
    that is there is judged, and one that decides the number is enough.
    """
    wanted = int(control.limit("control_planes"))
    told = [terraform(stack.declared, control, wanted)]
    told += [way(stack, control, wanted) for way in (applied, rendered, other_tools)]
    open_ = [why for undecided in told for why in undecided or ()]
    control.assume([] in told, "; ".join(open_) or "nothing declares a control plane", ELSEWHERE)
    assert not control.found


def terraform(known: Declared, control: Record, wanted: int) -> list[str] | None:
    """Count the servers of the plans where there are any, and of the sources; None where there are none."""
    for part, why in known.unread.items():
        control.note(f"counted in the plans alone: {part}", why)
    if known.plans:
        planned, written = servers(known.planned), servers(known.written)
        told = count(planned, wanted, control) if planned else None
        if written and not (known.unread or known.modules or any(one.unclear for one in written)):
            count(written, wanted, control)
        return told
    written = servers(known.written)
    modules = [f"{one}: no plan shows what it makes" for one in known.modules]
    if not written:
        return modules or None
    return count(written, wanted, control, whole=not modules) + modules


def count(every: list[Server], wanted: int, control: Record, *, whole: bool = True) -> list[str]:
    """Judge the number of control planes among servers, all there are or a part; return what is undecided."""
    control.population(every)
    planes = [one for one in every if one.control_plane]
    unclear = [
        f"{one.ref}: {one.unknown or 'its role'} is not decided by the files" for one in every if one.unclear
    ]
    known = [one for one in planes if not one.unclear]
    if whole and not planes and not unclear:
        return [f"none of {len(every)} servers of Terraform is a control plane"]
    if len(known) > wanted or (whole and not unclear):
        control.measured(len(planes), "count", "control_planes")
        control.offenders(miscounted(known, wanted), f"{len(known)} control planes, {wanted} are wanted")
    return unclear


def applied(stack: ReadStack, control: Record, wanted: int) -> list[str] | None:
    """Count the servers of the states, which know what modules made."""
    states = [one for one in stack.state if not one.encrypted]
    made = servers(one for state in states for one in state.resources)
    return count(made, wanted, control) if made else None


def rendered(stack: ReadStack, control: Record, wanted: int) -> list[str] | None:
    """Count the rendered configurations of control planes, one a node, as the hostnames in them show."""
    planes = [one for one in stack.rendered_if_any if one.role == "controlplane"]
    if not planes or not all(one.hosted for one in planes):
        return None
    control.population(planes)
    why = f"one of {len(planes)} rendered control planes, {wanted} are wanted"
    control.offenders((one for one in planes if len(planes) != wanted), why)
    return []


def other_tools(stack: ReadStack, control: Record, wanted: int) -> list[str] | None:
    """Count what Cluster API, Omni or talhelper declare, beside the patches of machines or in manifests."""
    declared = stack.paths.declared
    found = planes_below(declared.talos) if declared.talos else []
    if not found and declared.gitops and not (declared.infra or declared.plan):
        manifests = stack.manifests
        found = [
            one
            for file, docs in manifests.files.items()
            for one in declared_planes(partial(manifests.ref, file), docs)
        ]
    for one in control.population(found) if found else ():
        if one.count is not None and one.count != wanted:
            control.offender(one, f"{one.count} control planes, {wanted} are wanted")
    return [f"{one.ref}: how many" for one in found if one.count is None] if found else None


@pytest.mark.control("ARCH-01", tier="live")
def test_etcd_has_three_voters(stack: ReadStack, control: Record) -> None:
    """Ask every member by the Talos of its node, and itself where the profile has a certificate for it."""
    talos, voters = stack.talos, int(control.limit("voters"))
    talos.every(control.unread)
    control.note("nodes", talos.fleet.source)
    planes = control.population(talos.controlplanes, of=int(control.limit("control_planes")))
    lists = talos.each(planes, talos.etcd_members, control.unread)
    for _, members in lists:
        control.offenders((m for m in members if m.learner), "a learner, not a voter")
        control.offenders((m for m in members if not m.started), "listed, but never started")
        control.measured(sum(m.started and not m.learner for m in members), "count", "voters")
    rows = talos.each(planes, talos.etcd_status, control.unread)
    for plane, row in rows:
        if row.errors or row.learner or not row.led:
            control.offender(plane, "its etcd is not a healthy voter")
    for plane, alarms in talos.each(planes, talos.etcd_alarms, control.unread):
        if alarms:
            control.offender(plane, "etcd has raised an alarm")
    known = {plane.name: members for plane, members in lists}
    every = [row for _, row in rows]
    if stack.profile.etcd.endpoints:
        known |= {endpoint: stack.etcd.members(endpoint) for endpoint in stack.etcd.endpoints}
        every += [stack.etcd.status(endpoint) for endpoint in stack.etcd.endpoints]
    control.offenders(judge_members(known, voters))
    if len(rows) == len(planes):
        control.offenders(judge_status(every, voters))
    assert not control.found
