"""PERF-08: every workload sets requests and limits."""

import pytest

from assay.config.platform import covered
from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("PERF-08")
def test_every_container_is_sized(stack: ReadStack, control: Record) -> None:
    """Judge every live pod, and every template, which a LimitRange cannot fill in behind our back."""
    spared = stack.platform.namespaces.unsized
    pods = control.population(p for p in stack.kube.pods() if not covered(p.namespace, spared))
    templates = (w for w in stack.kube.workloads() if not covered(w.namespace, spared) and not w.owner)
    why = "a container lacks CPU or memory requests or limits"
    control.offenders((p for p in pods if p.shape.unsized), why)
    control.offenders((w for w in control.population(templates) if w.shape.unsized), why)
    assert not control.found
