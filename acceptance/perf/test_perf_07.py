"""PERF-07: critical backends are Guaranteed, as asked for and as the kubelet runs them."""

import pytest

from assay.model import Record
from assay.stack import Stack


@pytest.mark.control("PERF-07")
def test_critical_workloads_are_guaranteed(stack: Stack, control: Record) -> None:
    """Judge live pods by their class and by their own numbers, and the templates that make them."""
    spared = control.listed("uncritical")
    pods = control.population(p for p in stack.kube.pods() if p.namespace not in spared)
    templates = [w for w in stack.kube.workloads() if w.namespace not in spared and not w.owner]
    control.offenders((p for p in pods if p.qos != "Guaranteed"), "its class is not Guaranteed")
    control.offenders(
        (p for p in pods if not p.shape.guaranteed), "requests and limits differ or are missing"
    )
    control.offenders((w for w in templates if not w.shape.guaranteed), "its template is not Guaranteed")
    assert not control.found
