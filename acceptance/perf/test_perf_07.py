"""PERF-07: critical backends are Guaranteed, as asked for and as the kubelet runs them."""

import pytest

from assay.config.platform import covered
from assay.model import Record
from assay.probes.kube.facts import Pod, Workload, marked
from assay.stack import ReadStack


@pytest.mark.control("PERF-07")
def test_critical_workloads_are_guaranteed(stack: ReadStack, control: Record) -> None:
    """Judge live pods by their class and by their own numbers, and the templates that make them.

    Critical is all outside the uncritical namespaces, and in them what carries the mark, or whose namespace
    carries it.
    """
    spared, mark = stack.platform.namespaces.uncritical, stack.platform.annotations.critical
    spaces = {space.name for space in stack.kube.namespaces() if marked(space, mark)}

    def critical(thing: Pod | Workload) -> bool:
        return not covered(thing.namespace, spared) or thing.namespace in spaces or marked(thing, mark)

    pods = control.population(filter(critical, stack.kube.pods()))
    templates = [w for w in stack.kube.workloads() if critical(w) and not w.owner]
    control.offenders((p for p in pods if p.qos != "Guaranteed"), "its class is not Guaranteed")
    control.offenders(
        (p for p in pods if not p.shape.guaranteed), "requests and limits differ or are missing"
    )
    control.offenders((w for w in templates if not w.shape.guaranteed), "its template is not Guaranteed")
    assert not control.found
