"""Pod Security, tried: three pods that differ in one attribute each, as dry runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from assay.errors import ProbeError
from assay.model import Attempt
from assay.probes.kube.dry_run import DryRunKube
from assay.probes.kube.facts import Namespace, Pod
from assay.probes.kube.shapes import harmless_pod, privileged_pod, root_pod


PINNED = "pod-security.kubernetes.io/enforce-version"
MINOR = re.compile(r"v1\.([0-9]{1,4})(?:[.+-].*)?")


@dataclass(frozen=True, slots=True)
class LevelTrial:
    """What one API server answered for one namespace.

    A privileged pod, a pod that may run as root, and the harmless one that must be admitted.
    """

    space: Namespace
    server: str
    privileged: Attempt
    root: Attempt
    harmless: Attempt


@dataclass(frozen=True, slots=True)
class UntriedNamespace:
    """A namespace that one API server could not be asked about, and why."""

    space: Namespace
    server: str
    problem: ProbeError


def try_levels(
    kube: DryRunKube, spaces: Sequence[Namespace], pods: Iterable[Pod], sample: str
) -> list[LevelTrial | UntriedNamespace]:
    """Return one answer per namespace and API server; a namespace deleted meanwhile is left out.

    The pods' image is `sample`, else one that runs in the namespace, else one that runs anywhere.

    Raises:
        ProbeError: the namespaces cannot be listed, or there is neither a sample nor a running pod.
    """
    images = usable_images(spaces, pods, sample)
    asked = [(space, server) for space in spaces for server in kube.apiservers]
    answers = kube.together(partial(_try, kube, space, server, images[space.name]) for space, server in asked)
    there = {space.name for space in kube.namespaces() if space.active}
    return [answer for answer in answers if answer.space.name in there]


def _try(kube: DryRunKube, space: Namespace, server: str, image: str) -> LevelTrial | UntriedNamespace:
    try:
        bad, root, good = (
            kube.dry_run(server, shape(space.name, image), space.ref)
            for shape in (privileged_pod, root_pod, harmless_pod)
        )
    except ProbeError as problem:
        return UntriedNamespace(space, server, problem)
    return LevelTrial(space, server, bad, root, good)


def usable_images(spaces: Iterable[Namespace], pods: Iterable[Pod], sample: str) -> dict[str, str]:
    """Return namespace -> an image that admission lets in there, as far as can be known.

    Raises:
        ProbeError: there is neither a sample nor a running pod.
    """
    running = {
        pod.namespace: container.image
        for pod in pods if pod.phase == "Running" and not pod.mirror
        for container in pod.shape.containers if container.place == "container"
    }  # fmt: skip
    usual = sample or next(iter(running.values()), "")
    if not usual:
        raise ProbeError("no image to try Pod Security with", "set signed under [samples], or run a pod")
    return {space.name: sample or running.get(space.name, usual) for space in spaces}


def versions_behind(pin: str, version: str) -> int | None:
    """Return by how many minor versions a pinned version of the rules is older than the API server's.

    0 for `latest`, None for a pin or a version that cannot be read.
    """
    if pin == "latest":
        return 0
    there, here = MINOR.fullmatch(pin), MINOR.fullmatch(version)
    return max(0, int(here[1]) - int(there[1])) if there and here else None
