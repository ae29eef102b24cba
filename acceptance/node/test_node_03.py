"""NODE-03: the root file system of every node is read-only, and only the expected places are writable."""

import pytest

from assay.model import Record
from assay.probes.talos.shipped import unexpected_files, unexpected_kubelet_mounts, unexpected_mounts
from assay.stack import ReadStack


@pytest.mark.control("NODE-03")
def test_only_expected_places_are_writable(stack: ReadStack, control: Record) -> None:
    """Judge the mount table of pid 1, the kubelet's extra mounts, and the files that are written."""
    talos = stack.talos
    for machine in control.population(talos.machines, of=len(stack.kube.nodes())):
        control.offenders(unexpected_mounts(machine, talos.mounts(machine)))
        control.offenders(unexpected_kubelet_mounts(machine, talos.kubelet(machine)))
        control.offenders(unexpected_files(machine, talos.machineconfig(machine)))
    assert not control.found
