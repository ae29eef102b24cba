"""ARCH-01: three control planes, declared and alive."""

import pytest

from assay.drills.faults.quorum import judge_members, judge_status
from assay.model import Record
from assay.probes.terraform.hetzner import Server, miscounted, servers
from assay.stack import ReadStack


@pytest.mark.control("ARCH-01", tier="static")
def test_three_control_planes_are_declared(stack: ReadStack, control: Record) -> None:
    """Count servers in the plans where there are any, in the sources, and rendered control planes."""
    wanted, known = int(control.limit("control_planes")), stack.declared
    for part, why in known.unread.items():
        control.note(f"counted in the plans alone: {part}", why)
    control.assume(
        bool(known.plans) or not known.modules, f"no plan shows what {', '.join(known.modules)} make"
    )
    written = servers(known.written)
    if known.plans:
        count(servers(known.planned), wanted, control)
    if not known.plans or not (known.unread or known.modules or any(one.unclear for one in written)):
        count(written, wanted, control)
    if stack.paths.declared.machineconfigs:
        planes = [one for one in stack.rendered if one.role == "controlplane"]
        if all(one.hosted for one in planes) and len(planes) != wanted:
            control.offenders(planes, f"one of {len(planes)} rendered control planes, {wanted} are wanted")
    assert not control.found


def count(every: list[Server], wanted: int, control: Record) -> None:
    """Judge the number of control planes among the servers of the plans, or of the sources."""
    control.population(every)
    unclear = [f"{one.ref}: {one.unknown or 'its role'}" for one in every if one.unclear]
    control.assume(not unclear, f"not decided by the sources, nor by a plan: {', '.join(unclear)}")
    planes = [one for one in every if one.control_plane]
    control.measured(len(planes), "count", "control_planes")
    control.offenders(miscounted(planes, wanted), f"{len(planes)} control planes, {wanted} are wanted")
    if not planes:
        control.offender("hcloud_server", "none of the servers is a control plane")


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
