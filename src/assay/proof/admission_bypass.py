"""Ways around the signature gate of a lab, open while a violation stands, observed at every API server."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from assay.model import Named
from assay.probes.kube.client import Kube
from assay.probes.kube.dry_run import DryRunKube
from assay.probes.kube.gate import (
    OPT_IN,
    ephemeral_pairs,
    images,
    place_to_try,
    unlabelled_pairs,
    workload_pairs,
)
from assay.probes.kube.shapes import AdmissionTrial, Manifest
from assay.proof.plant import Plant


REGISTRATION = "admissionregistration.k8s.io/v1"
GATE = "policy.sigstore.dev"
SKIPPED_IF = {
    "ephemeral": "!(has(request.subResource) && request.subResource == 'ephemeralcontainers')",
    "init": "!(request.kind.kind == 'Pod' && has(object.spec.initContainers))",
}


def trial(plant: Plant, kind: str, place: str, variant: str) -> AdmissionTrial:
    """Return the request that shows a bypass: `variant` is a sample image of the profile."""
    return AdmissionTrial(
        kind, place, variant, images(plant.profile.samples)[variant], plant.profile.samples.signed
    )


def admitted(plant: Plant, tried: AdmissionTrial) -> Callable[[], bool]:
    """Return a function that says whether every API server admits the request now."""
    kube = DryRunKube.from_profile(plant.profile)
    live = place_to_try(kube, plant.profile.platform.namespaces.unsigned)

    def holds() -> bool:
        if tried.place == "ephemeral":
            pairs = ephemeral_pairs(kube, live, {tried.variant: tried.image}, tried.sound)
        else:
            pairs = workload_pairs(kube, live.namespace, [tried])
        return all(pair.attempt.admitted for pair in pairs)

    return holds


def first_named(plant: Plant, tried: AdmissionTrial) -> Named:
    """Return how the test names the request at the first API server."""
    return Named(tried.ref(plant.profile.kube.apiservers[0]))


@contextmanager
def webhook_filtered(plant: Plant, expression: str, tried: AdmissionTrial | None = None) -> Iterator[None]:
    """Let the gate judge only requests for which a CEL `expression` holds.

    `tried` shows that the bypass is open, and that it is closed again.
    """
    seen = admitted(plant, tried) if tried else None
    found = plant.kube.get(REGISTRATION, "ValidatingWebhookConfiguration", "", GATE) or {"webhooks": []}
    hooks: list[Manifest] = copy.deepcopy(found["webhooks"])
    for hook in hooks:
        hook["matchConditions"] = [{"name": "planted", "expression": expression}]
    change = {"webhooks": hooks}
    with plant.patched("ValidatingWebhookConfiguration", "", GATE, change, api_version=REGISTRATION):
        if seen:
            plant.await_true(seen, "the bypass of the gate")
        yield
    if seen:
        plant.await_true(lambda: not seen(), "the gate closed again")


def skip_containers(plant: Plant, place: str) -> Iterator[Named]:
    """Let the gate skip unsigned images at one `place` of a pod: a key of `SKIPPED_IF`."""
    tried = trial(plant, "Pod", place, "unsigned")
    with webhook_filtered(plant, SKIPPED_IF[place], tried):
        yield first_named(plant, tried)


def warn_only(plant: Plant, tried: AdmissionTrial) -> Iterator[Named]:
    """Let the first image policy warn instead of refusing."""
    seen = admitted(plant, tried)
    names = [
        item["metadata"]["name"] for item in Kube.from_profile(plant.profile).objects("ClusterImagePolicy")
    ]
    with plant.patched(
        "ClusterImagePolicy",
        "",
        names[0],
        {"spec": {"mode": "warn"}},
        api_version="policy.sigstore.dev/v1beta1",
    ):
        plant.await_true(seen, "a gate that only warns")
        yield first_named(plant, tried)
    plant.await_true(lambda: not seen(), "the gate enforcing again")


@contextmanager
def opt_in_lifted(plant: Plant) -> Iterator[None]:
    """Suspend the rule that demands the opt-in label on namespaces."""
    kube = DryRunKube.from_profile(plant.profile)
    live = place_to_try(kube, plant.profile.platform.namespaces.unsigned)
    ((key, value),) = OPT_IN.items()
    label = f"{key}={value}"

    def free() -> bool:
        return all(pair.attempt.admitted for pair in unlabelled_pairs(kube, label, live.namespace))

    audit = {"spec": {"validationActions": ["Audit"]}}
    kind = "ValidatingAdmissionPolicyBinding"
    with plant.patched(kind, "", "signature-opt-in", audit, api_version=REGISTRATION):
        plant.await_true(free, "namespaces without the label")
        yield
    plant.await_true(lambda: not free(), "the label demanded again")
