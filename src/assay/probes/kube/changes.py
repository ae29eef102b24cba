"""Changes of an image, tried: patches of objects that stand in a namespace, as dry runs.

Each beside the same change to a signed image.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from assay.model import Attempt
from assay.probes.kube.dry_run import DryRunKube
from assay.probes.kube.gate import AdmissionPair, by_form
from assay.probes.kube.paths import one
from assay.probes.kube.shapes import (
    KINDS,
    AdmissionTrial,
    Manifest,
    pod_spec,
    workload_manifest,
)
from assay.probes.kube.wire import STRATEGIC


STANDING = "assay-standing"
PLACES = ("container", "init")
# Where the specification of the pods lies in an object of a kind.
POD_SPEC = {"Pod": ("spec",), "CronJob": ("spec", "jobTemplate", "spec", "template", "spec")}
CONTAINERS = {"container": ("containers", "main"), "init": ("initContainers", "first")}
IMMUTABLE = "field is immutable"


@dataclass(frozen=True, slots=True)
class ImageChange:
    """A change of one container's image, at `place`, in the standing object of `kind`.

    `name` is the standing objects' own, `put_on` labels that the same request puts on the object.
    """

    kind: str
    place: str
    variant: str
    image: str
    name: str = STANDING
    put_on: tuple[tuple[str, str], ...] = ()

    @property
    def what(self) -> str:
        """Return what is tried, for example `Deployment container changed to unsigned`."""
        return f"{self.kind} {self.place} changed to {self.variant}"

    def to(self, variant: str, image: str) -> ImageChange:
        """Return the same change to another image."""
        return replace(self, variant=variant, image=image)

    def ref(self, server: str) -> str:
        """Return how the change is called at one API server."""
        put = "".join(f" and given {key}={value}" for key, value in self.put_on)
        return f"{self.what}{put} at {server}"

    def path(self, namespace: str) -> str:
        """Return the path of the object that is changed."""
        return one(self.kind, namespace, standing_name(self.kind, self.name))

    def patch(self) -> Manifest:
        """Return the strategic merge patch."""
        key, container = CONTAINERS[self.place]
        body: Manifest = {key: [{"name": container, "image": self.image}]}
        for part in reversed(POD_SPEC.get(self.kind, ("spec", "template", "spec"))):
            body = {part: body}
        return {**body, "metadata": {"labels": dict(self.put_on)}} if self.put_on else body

    def applied(self, found: Mapping[str, Any]) -> Manifest:
        """Return the whole object `found` with the change, for an update in place of a patch."""
        changed: Manifest = copy.deepcopy(dict(found))
        spec = changed
        for part in POD_SPEC.get(self.kind, ("spec", "template", "spec")):
            spec = spec[part]
        key, container = CONTAINERS[self.place]
        for row in spec[key]:
            row["image"] = self.image if row["name"] == container else row["image"]
        return changed


def standing_name(kind: str, name: str = STANDING) -> str:
    """Return the name of the standing object of a kind: one each, lest a controller adopt another's pod."""
    return f"{name}-{kind.lower()}"


def standing_objects(
    namespace: str, image: str, labels: Mapping[str, str], name: str = STANDING
) -> Iterator[Manifest]:
    """Yield one object of every kind, with `labels`, that runs nothing and whose image can be changed.

    No replicas, suspended, or for a node that does not exist. Their image is `image` by another name, so that
    a change to `image` is one.
    """
    called = tagged(image)
    for kind in KINDS:
        spec = pod_spec("init", called, called)
        manifest = workload_manifest(kind, namespace, spec, standing_name(kind, name))
        manifest["metadata"]["labels"] = {**manifest["metadata"]["labels"], **labels}
        if "replicas" in manifest["spec"]:
            manifest["spec"]["replicas"] = 0
        if kind == "Job":
            manifest["spec"]["suspend"] = True
        yield manifest


def tagged(image: str) -> str:
    """Return an image by digest under another name: with a tag before the digest, which alone counts."""
    name, at, digest = image.partition("@")
    return f"{name}:assay@{digest}" if at and ":" not in name.rpartition("/")[2] else image


def change_pairs(
    kube: DryRunKube, namespace: str, variants: Mapping[str, str], sound: str, kinds: Iterable[str] = KINDS
) -> tuple[list[AdmissionPair], list[str]]:
    """Return a pair per kind, place, variant and API server, and the kinds whose image nobody can change.

    The standing objects are in `namespace`. Baseline is the same change to the signed image `sound`.
    """
    signed = [ImageChange(kind, place, "signed", sound) for kind in kinds for place in PLACES]
    return _pairs(kube, namespace, signed, variants)


def overlooked_pairs(
    kube: DryRunKube, namespace: str, labels: Mapping[str, str], name: str, image: str, sound: str
) -> list[AdmissionPair]:
    """Return pairs for objects that bear `labels`, or are given them with the change.

    A new pod that bears them, at every API server; and changes of the standing objects called `name`, which
    bear them, and of those that do not.
    """
    kinds = ("Pod", "Deployment")
    put_on = tuple(labels.items())
    signed = [ImageChange(kind, "container", "signed", sound, name) for kind in kinds]
    signed += [ImageChange(kind, "container", "signed", sound, put_on=put_on) for kind in kinds]
    trial = AdmissionTrial("Pod", "container", "unsigned", image, sound)
    asked = [
        partial(_make, kube, namespace, each, labels, server)
        for server in kube.apiservers
        for each in (trial, trial.baseline)
    ]
    made = kube.together(asked)
    pairs = [AdmissionPair(*two) for two in zip(made[::2], made[1::2], strict=True)]
    return pairs + _pairs(kube, namespace, signed, {"unsigned": image})[0]


def _make(
    kube: DryRunKube, namespace: str, trial: AdmissionTrial, labels: Mapping[str, str], server: str
) -> Attempt:
    manifest = trial.manifest(namespace)
    manifest["metadata"]["labels"] = {**manifest["metadata"]["labels"], **labels}
    bearing = " and ".join(f"{key}={value}" for key, value in labels.items())
    return kube.dry_run(server, manifest, f"{trial.ref('').removesuffix(' at ')} with {bearing} at {server}")


def _pairs(
    kube: DryRunKube, namespace: str, signed: Iterable[ImageChange], variants: Mapping[str, str]
) -> tuple[list[AdmissionPair], list[str]]:
    asked = [
        (change, server)
        for sound in signed
        for change in (sound, *(sound.to(*row) for row in variants.items()))
        for server in kube.apiservers
    ]
    answers = kube.together([partial(_change, kube, namespace, change, server) for change, server in asked])
    baselines = {
        (replace(change, variant="", image=""), server): answer
        for (change, server), answer in zip(asked, answers, strict=True)
        if change.variant == "signed"
    }
    fixed = {change.kind for (change, _), answer in baselines.items() if IMMUTABLE in answer.reason}
    pairs = [
        AdmissionPair(answer, baselines[replace(change, variant="", image=""), server], by_form(change.image))
        for (change, server), answer in zip(asked, answers, strict=True)
        if change.variant != "signed" and change.kind not in fixed
    ]
    return pairs, sorted(fixed)


def _change(kube: DryRunKube, namespace: str, change: ImageChange, server: str) -> Attempt:
    path = change.path(namespace)
    return kube.dry_run_patch(server, path, change.patch(), change.ref(server), STRATEGIC)
