"""DEP-05: what every node runs is what was rendered for it."""

import pytest

from assay.errors import ProbeError
from assay.model import Record
from assay.probes.talos.rendered import for_node, nearest_differences, unused
from assay.stack import ReadStack


MOST_PATHS = 5
NOBODY = ProbeError("rendered for a node that is not there", "remove it, or bring the node up")


@pytest.mark.control("DEP-05")
def test_every_node_runs_its_rendered_configuration(stack: ReadStack, control: Record) -> None:
    """Compare leaf by leaf, by keyed digest, the running and the stored configuration of all nodes."""
    talos, rendered = stack.talos, stack.rendered
    control.note("rendered configurations", len(rendered))
    nodes = control.population(talos.every(control.unread))
    control.note("nodes", talos.fleet.source)
    for one in unused(rendered, nodes):
        control.unread(one, NOBODY)
    for what, ask in (("runs", talos.machineconfig), ("has stored", talos.stored_machineconfig)):
        for node, found in talos.each(nodes, ask, control.unread):
            candidates = for_node(rendered, node, nodes)
            paths = nearest_differences(candidates, found) if candidates else ["nothing was rendered for it"]
            if paths:
                control.offender(node, f"{what} another configuration: {', '.join(paths[:MOST_PATHS])}")
    assert not control.found
