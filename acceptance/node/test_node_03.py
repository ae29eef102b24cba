"""NODE-03: the root file system of every node is read-only, and only the expected places are writable."""

import pytest

from assay.model import Record
from assay.probes.talos.shipped import unexpected_files, unexpected_kubelet_mounts, unexpected_mounts
from assay.stack import ReadStack


@pytest.mark.control("NODE-03")
def test_only_expected_places_are_writable(stack: ReadStack, control: Record) -> None:
    """Judge the mount table of pid 1, the kubelet's extra mounts, and the files that are written."""
    talos, more = stack.talos, stack.platform.nodes
    kubelet = (*control.listed("kubelet_mounts"), *more.mounts)
    files, writable = (*control.listed("files"), *more.files), control.listed("writable")
    nodes = control.population(talos.every(control.unread))
    control.note("nodes", talos.fleet.source)
    for node, mounts in talos.each(nodes, talos.mounts, control.unread):
        control.offenders(unexpected_mounts(node, mounts, writable))
    for node, spec in talos.each(nodes, talos.kubelet, control.unread):
        control.offenders(unexpected_kubelet_mounts(node, spec, kubelet))
    for node, configuration in talos.each(nodes, talos.machineconfig, control.unread):
        control.offenders(unexpected_files(node, configuration, files))
    assert not control.found
