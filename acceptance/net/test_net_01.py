"""NET-01: 6443 and 50000 are open to the declared allow list only."""

import pytest

from assay.model import Record
from assay.probes.terraform.exposure import open_balancers, unguarded_servers
from assay.probes.terraform.hetzner import allow_list, left_open, rules
from assay.stack import ReadStack


@pytest.mark.control("NET-01")
def test_admin_ports_are_open_to_the_allow_list_only(stack: ReadStack, control: Record) -> None:
    """Judge firewall rules, servers without a firewall and load balancers, of sources and plans."""
    allowed, apart = allow_list(stack.profile.allowlist.admin), stack.platform.nodes.servers
    known = stack.declared
    control.note("plans", len(known.plans))
    for part, why in known.unread.items():
        control.note(f"judged by the plans alone: {part}", why)
    written, planned = rules(known.written), rules(known.planned)
    inbound = [rule for rule in (*written, *planned) if rule.inbound()]
    others = ("hcloud_server", "hcloud_load_balancer_service")
    control.population([*inbound, *(one for one in (*known.written, *known.planned) if one.type in others)])
    for rule in inbound:
        if strangers := rule.open_to_strangers(allowed):
            control.offender(rule, f"{rule.where}: {rule.label} lets in {', '.join(strangers)}")
    undecided = left_open(written, planned, known.modules, allowed)
    for source in (known.written, *known.plans):
        for one in (*unguarded_servers(source, apart), *open_balancers(source)):
            if one.decided:
                control.offender(one)
            elif source is not known.written or not known.plans:
                undecided.append(f"{one.ref}: whether it is public, or guarded")
    control.assume(not undecided, f"not decided by the sources, nor by a plan: {', '.join(undecided)}")
    assert not control.found
