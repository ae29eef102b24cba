"""NODE-01.

Every node is a Talos node of the pinned version, and its API knows nobody without a certificate.
"""

from functools import partial

import pytest

from assay.model import Record
from assay.probes.talos.reach import guard
from assay.probes.terraform.hetzner import unjoined
from assay.stack import ReadStack


@pytest.mark.control("NODE-01")
def test_every_node_runs_the_pinned_talos(stack: ReadStack, control: Record) -> None:
    """Bring together the nodes of Kubernetes, Talos' members, the profile and the servers of a state."""
    talos, known = stack.talos, {node.name: node for node in stack.kube.nodes()}
    nodes, fleet = control.population(talos.every(control.unread)), talos.fleet
    control.note("nodes", fleet.source)
    control.offenders(fleet.missing, "the profile expects it, and no cluster knows it")
    control.offenders((one for one in nodes if one.name not in known), "not a node of Kubernetes")
    if fleet.in_talos is not None:
        control.offenders((one for one in nodes if one.name not in fleet.in_talos), "not a member of Talos")
    for state in (one for one in stack.state if not one.encrypted):
        control.note(f"state {state.path.name}", "its servers are compared with the nodes")
        control.offenders(unjoined(state.resources, known.values(), stack.platform.nodes.servers))
    wanted = dict(talos.each(nodes, talos.wanted_version, control.unread))
    control.note("pinned", ", ".join(sorted(set(wanted.values()))))
    for node, version in talos.each(wanted, talos.version, control.unread):
        if version.tag != wanted[node]:
            control.offender(node, f"runs Talos {version.tag}, not {wanted[node]}")
    for node, name in talos.each(nodes, talos.nodename, control.unread):
        if name != node.name:
            control.offender(node, f"at its address answers {name}")
    pinned = {node.name: version for node, version in wanted.items()}
    for one in known.values():
        system = f"Talos ({pinned[one.name]})" if one.name in pinned else "Talos ("
        if not one.os_image.startswith(system):
            control.offender(one, f"its system is {one.os_image or 'unknown'}, not {system.rstrip(' (')}")
    guards = talos.each(nodes, partial(guard, talos), control.unread)
    for node, answer in guards:
        if answer and not answer.demands:
            control.offender(node, f"its Talos API {answer.words}")
    control.note("Talos APIs closed to the suite", sum(answer is None for _, answer in guards))
    control.assume(any(answer for _, answer in guards), "no Talos API can be reached without a proxy")
    assert not control.found
