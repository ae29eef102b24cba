"""NODE-04: Pod Security keeps privileged pods out of every namespace that is not on the list."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from assay.model import Attempt, Record
from assay.probes.kube import shapes
from assay.stack import Stack


ENFORCE = "pod-security.kubernetes.io/enforce"


@pytest.mark.control("NODE-04")
def test_privileged_pods_are_refused(stack: Stack, control: Record) -> None:
    """Try a privileged pod, a root pod and a harmless baseline in every namespace.

    All of them are dry runs, at every API server.
    """
    kube, image = stack.kube, stack.profile.need_text("samples.signed")
    no_more, spared = control.listed("baseline"), control.listed("privileged")
    judged = [n for n in kube.namespaces() if n.active and n.name not in spared]

    asked = [(n, s) for n in judged for s in kube.apiservers]

    def tried(shape: Callable[[str, str], dict[str, Any]]) -> list[Attempt]:
        return kube.together(partial(kube.dry_run, s, shape(n.name, image), n.ref) for n, s in asked)

    privileged, root = tried(shapes.privileged_pod), tried(shapes.root_pod)
    baselines = tried(shapes.harmless_pod)
    there = {n.name for n in kube.namespaces() if n.active}
    answers = [row for row in zip(asked, privileged, root, baselines, strict=True) if row[0][0].name in there]
    for (space, _), bad, rooted, baseline in control.population(answers):
        if control.refused(bad, baseline, 'violates PodSecurity "') and space.name not in no_more:
            control.refused(rooted, baseline, 'violates PodSecurity "restricted:')
    old = (n for n in judged if n.labels.get(f"{ENFORCE}-version", "latest") != "latest")
    control.offenders(old, "enforces the rules of an old version")
    assert not control.found
