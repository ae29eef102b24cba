"""DEP-05: what every node runs is what was rendered for it."""

import pytest

from assay.model import Record
from assay.probes.talos.diff import differences
from assay.probes.talos.facts import yaml_documents
from assay.stack import ReadStack


MOST_PATHS = 5


@pytest.mark.control("DEP-05")
def test_every_node_runs_its_rendered_configuration(stack: ReadStack, control: Record) -> None:
    """Compare leaf by leaf, by keyed digest, the running and the stored configuration of all nodes."""
    folder, talos = stack.paths.machineconfigs, stack.talos
    rendered = {file.stem: file for file in folder.glob("*.yaml")}
    control.assume(
        rendered.keys() == {machine.name for machine in talos.machines},
        "the rendered files are not those of the nodes",
    )
    for machine in control.population(talos.machines, of=len(stack.kube.nodes())):
        wanted = yaml_documents(rendered[machine.name].read_text(), f"{machine.name}.yaml")
        for what, found in (
            ("runs", talos.machineconfig(machine)),
            ("has stored", talos.stored_machineconfig(machine)),
        ):
            paths = differences(wanted, found)
            if paths:
                control.offender(machine, f"{what} another configuration: {', '.join(paths[:MOST_PATHS])}")
    assert not control.found
