"""NET-01: 6443 and 50000 are open to the declared allow list only."""

import pytest

from assay.model import Record
from assay.probes.terraform.hetzner import allow_list, left_open, rules
from assay.stack import ReadStack


@pytest.mark.control("NET-01")
def test_admin_ports_are_open_to_the_allow_list_only(stack: ReadStack, control: Record) -> None:
    """Judge every inbound rule of the sources and of the plans; what neither decides is not a PASS."""
    allowed = allow_list(stack.profile.allowlist.admin)
    written = rules(stack.hcl.resources("hcloud_firewall"))
    plans = stack.plan if stack.paths.declared.plan else ()
    planned = [rule for plan in plans for rule in rules(plan.resources)]
    inbound = control.population(rule for rule in (*written, *planned) if rule.inbound())
    control.note("plans", len(plans))
    for rule in inbound:
        if sources := rule.open_to_strangers(allowed):
            control.offender(rule, f"{rule.where}: lets in {', '.join(sources)}")
    undecided = left_open(written, planned, stack.hcl.modules, allowed)
    control.assume(not undecided, f"not decided by the sources, nor by a plan: {', '.join(undecided)}")
    assert not control.found
