"""NODE-01.

Every node is a Talos node of the pinned version, and its API knows nobody without a certificate.
"""

import pytest

from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("NODE-01")
def test_every_node_runs_the_pinned_talos(stack: ReadStack, control: Record) -> None:
    """Judge the nodes that Kubernetes knows and those the profile knows, each by its own Talos API."""
    talos, known = stack.talos, {node.name: node for node in stack.kube.nodes()}
    control.note("pinned", talos.pinned)
    machines = {machine.name: machine for machine in talos.machines}
    control.population(sorted(known.keys() | machines.keys()))
    foreign = [node for name, node in known.items() if name not in machines]
    control.offenders(foreign, "a node of the cluster, but not one of the declared Talos machines")
    control.offenders(
        [m for m in machines.values() if m.name not in known], "declared, but not a node of the cluster"
    )
    control.offenders(
        (node for node in known.values() if node.os_image != f"Talos ({talos.pinned})"),
        f"its system is not Talos ({talos.pinned})",
    )
    for machine in machines.values():
        if talos.version(machine).tag != talos.pinned:
            control.offender(machine, f"its Talos is not {talos.pinned}")
        if talos.nodename(machine) != machine.name:
            control.offender(machine, "it is another node than the profile says")
        guarded = talos.without_certificate(machine.address)
        if not guarded.demands:
            control.offender(machine, f"its Talos API {guarded.words}")
    assert not control.found
