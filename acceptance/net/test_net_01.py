"""NET-01: 6443 and 50000 are open to the declared allow list only."""

from collections.abc import Sequence

import pytest

from assay.model import Record
from assay.probes.talos.ingress import blocks_somewhere, openings, unreached
from assay.probes.talos.rendered import Rendered
from assay.probes.terraform.declared import GIVE_PLAN, Declared
from assay.probes.terraform.exposure import open_balancers, unguarded_servers
from assay.probes.terraform.hetzner import SERVERS, Network, allow_list, left_open
from assay.probes.terraform.robot import ROWS, all_rules
from assay.stack import ReadStack


NOTHING = "no firewall, server or load balancer is declared, and no rendered machine configuration is known"
ELSEWHERE = f"{GIVE_PLAN}; where nodes guard themselves, set machineconfigs"


@pytest.mark.control("NET-01")
def test_admin_ports_are_open_to_the_allow_list_only(stack: ReadStack, control: Record) -> None:
    """Judge firewall rules, servers without a firewall, load balancers, and the nodes' own firewalls."""
    allowed, nodes = allow_list(stack.profile.allowlist.admin), stack.rendered_if_any
    known = stack.declared
    control.note("plans", len(known.plans))
    for part, why in known.unread.items():
        control.note(f"judged by the plans alone: {part}", why)
    closed = [one for one in nodes if not openings(one, allowed)]
    undecided = judge_rules(known, allowed, control) + judge_ways_around(stack, known, nodes, closed, control)
    judge_nodes(nodes, known, allowed, control)
    control.assume(not undecided, f"not decided by the files: {', '.join(undecided)}", ELSEWHERE)
    control.assume(bool(control.looked_at), NOTHING, ELSEWHERE)
    assert not control.found


def judge_rules(known: Declared, allowed: Sequence[Network], control: Record) -> list[str]:
    """Judge the rules of all firewalls that Terraform declares, and return what it does not decide."""
    written, planned = all_rules(known.written), all_rules(known.planned)
    inbound = [rule for rule in (*written, *planned) if rule.inbound()]
    for rule in control.population(inbound) if inbound else ():
        if strangers := rule.open_to_strangers(allowed):
            control.offender(rule, f"{rule.where}: {rule.label} lets in {', '.join(strangers)}")
    return left_open(written, planned, known.modules, allowed)


def judge_ways_around(
    stack: ReadStack, known: Declared, nodes: Sequence[Rendered], closed: Sequence[Rendered], control: Record
) -> list[str]:
    """Judge servers that nothing guards, and load balancers; return what the files do not decide."""
    others = (*SERVERS, "hcloud_load_balancer_service")
    found = [one for one in (*known.written, *known.planned) if one.type in others]
    if found:
        control.population(found)
    guard = ("*",) if nodes and len(closed) == len(nodes) else tuple(n for one in closed for n in one.names)
    apart = (*stack.platform.nodes.servers, *guard)
    perhaps = not nodes and blocks_somewhere(stack.paths.declared.talos)
    undecided = []
    for source in (known.written, *known.plans):
        for one in unguarded_servers(source, apart):
            if one.decided and not perhaps:
                control.offender(one)
            elif source is not known.written or not known.plans:
                undecided.append(f"{one.ref}: whether it is public, or guarded")
        for balancer in open_balancers(source):
            if balancer.decided:
                control.offender(balancer)
            elif source is not known.written or not known.plans:
                undecided.append(f"{balancer.ref}: whether it is public")
    return undecided


def judge_nodes(
    nodes: Sequence[Rendered], known: Declared, allowed: Sequence[Network], control: Record
) -> None:
    """Judge the own firewalls of the nodes that no server and no firewall of Terraform stands for."""
    outside = [one for one in known.planned or known.written if one.type in (*SERVERS, *ROWS)]
    guards = [one for one in outside if one.type in SERVERS or "server_ip" in one.attributes]
    alone = unreached(nodes, guards)
    for one in control.population(alone) if alone else ():
        if whys := openings(one, allowed):
            control.offender(one, "; ".join(whys))
