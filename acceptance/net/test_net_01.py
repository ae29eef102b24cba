"""NET-01: 6443 and 50000 are open to the declared allow list only."""

import pytest

from assay.errors import ProbeError
from assay.formats.resource import Resource
from assay.model import Record
from assay.probes.terraform.exposure import open_balancers, unguarded_servers
from assay.probes.terraform.hetzner import allow_list, left_open, rules
from assay.stack import ReadStack


@pytest.mark.control("NET-01")
def test_admin_ports_are_open_to_the_allow_list_only(stack: ReadStack, control: Record) -> None:
    """Judge firewall rules, servers without a firewall and load balancers, of sources and plans."""
    allowed, apart = allow_list(stack.profile.allowlist.admin), stack.platform.nodes.servers
    plans = [list(plan.resources) for plan in (stack.plan if stack.paths.declared.plan else ())]
    control.note("plans", len(plans))
    resources, modules = sources(stack, control, planned=bool(plans))
    written, planned = rules(resources), [rule for plan in plans for rule in rules(plan)]
    inbound = [rule for rule in (*written, *planned) if rule.inbound()]
    kinds = ("hcloud_server", "hcloud_load_balancer_service")
    control.population(
        [*inbound, *(one for part in (resources, *plans) for one in part if one.type in kinds)]
    )
    for rule in inbound:
        if strangers := rule.open_to_strangers(allowed):
            control.offender(rule, f"{rule.where}: {rule.label} lets in {', '.join(strangers)}")
    undecided = left_open(written, planned, modules, allowed)
    for part in (resources, *plans):
        for one in (*unguarded_servers(part, apart), *open_balancers(part)):
            if one.decided:
                control.offender(one)
            elif part is not resources or not plans:
                undecided.append(f"{one.ref}: whether it is public, or guarded")
    control.assume(not undecided, f"not decided by the sources, nor by a plan: {', '.join(undecided)}")
    assert not control.found


def sources(stack: ReadStack, control: Record, *, planned: bool) -> tuple[list[Resource], tuple[str, ...]]:
    """Return the resources of the sources and their module calls; none where a plan stands for them."""
    try:
        return stack.hcl.resources(), stack.hcl.modules
    except ProbeError as problem:
        if not planned:
            raise
        control.note("sources", f"judged by the plans alone: {problem.message}")
        return [], ()
