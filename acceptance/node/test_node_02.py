"""NODE-02: nothing on a node answers as SSH, and nothing runs on it that could."""

import pytest

from assay.config.platform import covered
from assay.model import Record
from assay.probes.kube.exposure import opened_on_nodes
from assay.probes.talos.reach import probed
from assay.probes.talos.shipped import TALOS_SERVICES
from assay.stack import ReadStack


SSH = 22


@pytest.mark.control("NODE-02")
def test_no_way_in_but_the_api(stack: ReadStack, control: Record) -> None:
    """Probe every address that routing leads to, and judge each node's own table of listeners."""
    talos, more, known = stack.talos, stack.platform.nodes, stack.kube.nodes()
    services = (*TALOS_SERVICES, *control.listed("services"), *more.services)
    extensions = (*control.listed("extensions"), *more.extensions)
    nodes = control.population(talos.every(control.unread))
    control.note("nodes", talos.fleet.source)
    states = talos.each(nodes, lambda node: probed(talos, node, SSH), control.unread)
    for node, one in ((node, one) for node, found in states for one in found):
        if one.state == "open":
            control.offender(node, f"{one.address}:{SSH} is open")
    sure = sum(one.reachable for _, found in states for one in found)
    control.note("addresses probed where the Talos API answers", sure)
    for node, sockets in talos.each(nodes, talos.listeners, control.unread):
        if any(socket.port == SSH for socket in sockets):
            control.offender(node, f"something listens on port {SSH}")
    control.offenders(opened_on_nodes(stack.kube, SSH, [at for node in known for _, at in node.addresses]))
    for node, running in talos.each(nodes, talos.services, control.unread):
        for name in (one.name for one in running if not covered(one.name, services)):
            control.offender(node, f"service {name} is off the allow list")
    for node, baked in talos.each(nodes, talos.extensions, control.unread):
        for name in (one.name for one in baked if not covered(one.name, extensions)):
            control.offender(node, f"extension {name} is off the allow list")
    assert not control.found
