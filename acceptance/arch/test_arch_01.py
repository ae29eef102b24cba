"""ARCH-01: three control planes, declared and alive."""

import pytest

from assay.model import Record
from assay.probes.hetzner import miscounted, servers
from assay.probes.machineconfigs import machine_types
from assay.stack import Stack


@pytest.mark.control("ARCH-01", tier="static")
def test_three_control_planes_are_declared(stack: Stack, control: Record) -> None:
    """Count servers in the sources and in each plan, and rendered control-plane configurations where they are given."""
    wanted = int(control.limit("control_planes"))
    plans = stack.plan if stack.paths.declared.plan else ()
    counts = [stack.hcl.resources("hcloud_server"), *(list(plan.resources) for plan in plans)]
    unclear, wrong = list[str](), list[object]()
    for resources in counts:
        every = control.population(servers(resources))
        unclear = [f"{one.named}: {one.unknown or 'its role'}" for one in every if one.unclear]
        control_planes = [one for one in every if one.control_plane]
        control.measured(len(control_planes), "count", "control_planes")
        why = f"{len(control_planes)} control planes, {wanted} are wanted"
        wrong += control.offenders(miscounted(control_planes, wanted) if not unclear else [], why)
        if not control_planes and not unclear:
            wrong += control.offenders(["hcloud_server"], "none of the servers is a control plane")
    if stack.paths.declared.machineconfigs is not None:
        types = control.population(machine_types(stack.paths.machineconfigs))
        rendered = [one for one in types if one.type == "controlplane"]
        wrong += control.offenders(
            rendered if len(rendered) != wanted else [], f"one of {len(rendered)}, {wanted} are wanted"
        )
    assert not wrong
    control.assume(not unclear, f"not decided by the sources, nor by a plan: {', '.join(unclear)}")
    control.assume(bool(plans) or not stack.hcl.modules, f"no plan shows what {stack.hcl.modules} make")
