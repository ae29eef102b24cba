"""ARCH-01: three control planes, declared and alive."""

import pytest

from assay.drills.faults.quorum import judge_members, judge_status
from assay.model import Record
from assay.probes.talos.machineconfigs import machine_types
from assay.probes.terraform.hetzner import miscounted, servers
from assay.stack import ReadStack


@pytest.mark.control("ARCH-01", tier="static")
def test_three_control_planes_are_declared(stack: ReadStack, control: Record) -> None:
    """Count servers in the sources and in each plan, and control-plane configurations where there are any."""
    wanted = int(control.limit("control_planes"))
    plans = stack.plan if stack.paths.declared.plan else ()
    counts = [stack.hcl.resources("hcloud_server"), *(list(plan.resources) for plan in plans)]
    doubts = list[list[str]]()
    for resources in counts:
        every = control.population(servers(resources))
        unclear = [f"{one.ref}: {one.unknown or 'its role'}" for one in every if one.unclear]
        doubts.append(unclear)
        control_planes = [one for one in every if one.control_plane]
        control.measured(len(control_planes), "count", "control_planes")
        why = f"{len(control_planes)} control planes, {wanted} are wanted"
        control.offenders(miscounted(control_planes, wanted) if not unclear else [], why)
        if not control_planes and not unclear:
            control.offender("hcloud_server", "none of the servers is a control plane")
    if stack.paths.declared.machineconfigs is not None:
        types = control.population(machine_types(stack.paths.machineconfigs))
        rendered = [one for one in types if one.type == "controlplane"]
        if len(rendered) != wanted:
            control.offenders(rendered, f"one of {len(rendered)}, {wanted} are wanted")
    source, *planned = doubts
    unclear = [one for doubt in planned for one in doubt] if planned else source
    control.assume(not unclear, f"not decided by the sources, nor by a plan: {', '.join(unclear)}")
    control.assume(bool(plans) or not stack.hcl.modules, f"no plan shows what {stack.hcl.modules} make")
    assert not control.found


@pytest.mark.control("ARCH-01", tier="live")
def test_etcd_has_three_voters(stack: ReadStack, control: Record) -> None:
    """Ask every member by its own address, of etcd and of Talos; none speaks for another."""
    talos, etcd, voters = stack.talos, stack.etcd, int(control.limit("voters"))
    planes = control.population(talos.controlplanes, of=int(control.limit("control_planes")))
    labelled = [node for node in stack.kube.nodes() if "node-role.kubernetes.io/control-plane" in node.labels]
    control.offenders(
        [node for node in labelled if node.name not in {p.name for p in planes}],
        "not a declared control plane",
    )
    rows = control.population([etcd.status(endpoint) for endpoint in etcd.endpoints], of=len(planes))
    for endpoint in etcd.endpoints:
        members = etcd.members(endpoint)
        control.offenders([m for m in members if m.learner], "a learner, not a voter")
        control.offenders([m for m in members if not m.started], "listed, but never started")
        control.measured(len([m for m in members if m.started and not m.learner]), "count", "voters")
    for plane in planes:
        control.offenders([m for m in talos.etcd_members(plane) if m.learner], "a learner by Talos")
        status = talos.etcd_status(plane)
        if status.errors or status.learner or not status.led:
            control.offender(plane, "its etcd is not a healthy voter by Talos")
        if talos.etcd_alarms(plane):
            control.offender(plane, "etcd has raised an alarm")
    control.offenders(
        judge_members({endpoint: etcd.members(endpoint) for endpoint in etcd.endpoints}, voters)
    )
    control.offenders(judge_status(rows, voters))
    assert not control.found
