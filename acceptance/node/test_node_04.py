"""NODE-04: Pod Security keeps privileged pods out of every namespace that is not on the list."""

import pytest

from assay.config.platform import covered
from assay.errors import PairError
from assay.model import Record
from assay.probes.kube.pod_security import PINNED, LevelTrial, UntriedNamespace, try_levels, versions_behind
from assay.stack import DryRunStack


@pytest.mark.control("NODE-04")
def test_privileged_pods_are_refused(stack: DryRunStack, control: Record) -> None:
    """Try a privileged pod, a root pod and a harmless baseline in every namespace.

    All of them are dry runs, at every API server.
    """
    kube, named = stack.kube, stack.platform.namespaces
    judged = [n for n in kube.namespaces() if n.active and not covered(n.name, named.privileged)]
    for answer in control.population(try_levels(kube, judged, kube.pods(), stack.samples.signed)):
        if isinstance(answer, UntriedNamespace):
            control.unread(f"{answer.space.ref} at {answer.server}", answer.problem)
            continue
        try:
            _judge(control, answer, only_baseline=covered(answer.space.name, named.baseline))
        except PairError as problem:
            control.unread(f"{answer.space.ref} at {answer.server}", problem)
    version, longest = kube.version(), control.limit("pin_age")
    for space in judged:
        behind = versions_behind(pin := space.labels.get(PINNED, "latest"), version)
        if behind is None or behind > longest:
            control.offender(
                space, f"enforces the rules of an old version, {pin}; the API servers are {version}"
            )
    assert not control.found


def _judge(control: Record, answer: LevelTrial, *, only_baseline: bool) -> None:
    """Judge one namespace at one API server; an admitted pod is an offender."""
    refused = control.refused(answer.privileged, answer.harmless, control.scalar("privileged_refusal"))
    if refused and not only_baseline:
        control.refused(answer.root, answer.harmless, control.scalar("root_refusal"))
