"""Holes in the signature gate of a lab.

Opened for as long as a violation stands and seen open at every API server.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from assay.probes.kube.client import Kube
from assay.probes.kube.gate import (
    VARIANTS,
    ephemeral_pairs,
    images,
    place_to_try,
    unlabelled_pairs,
    workload_pairs,
)
from assay.probes.kube.shapes import AdmissionTrial
from assay.proof.plant import Manifest, Named, Plant
from assay.writers.kube_decoy import controller_pod


REGISTRATION = "admissionregistration.k8s.io/v1"
GATE = "policy.sigstore.dev"
OPT_IN = f"{GATE}/include=true"
OVERLOOKED = {
    "ephemeral": "!(has(request.subResource) && request.subResource == 'ephemeralcontainers')",
    "init": "!(request.kind.kind == 'Pod' && has(object.spec.initContainers))",
}
EXEMPT = ("cosign-system", "kube-node-lease", "kube-public", "kube-system")


def trial(plant: Plant, kind: str, place: str, variant: str) -> AdmissionTrial:
    """Return the request by which a hole is seen: `variant` is a sample of the profile."""
    return AdmissionTrial(
        kind, place, variant, images(plant.profile.samples)[variant], plant.profile.samples.signed
    )


def admitted(plant: Plant, tried: AdmissionTrial) -> Callable[[], bool]:
    """Return a question: does every API server admit the request now?"""
    kube = Kube.from_profile(plant.profile)
    live = place_to_try(kube, EXEMPT)

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
    """Make the gate look only at requests for which a CEL `expression` holds.

    `tried` shows that the hole is open, and closed again.
    """
    seen = admitted(plant, tried) if tried else None
    found = plant.kube.get(REGISTRATION, "ValidatingWebhookConfiguration", "", GATE) or {"webhooks": []}
    hooks: list[Manifest] = copy.deepcopy(found["webhooks"])
    for hook in hooks:
        hook["matchConditions"] = [{"name": "planted", "expression": expression}]
    change = {"webhooks": hooks}
    with plant.patched("ValidatingWebhookConfiguration", "", GATE, change, api_version=REGISTRATION):
        if seen:
            plant.await_true(seen, "the hole in the gate")
        yield
    if seen:
        plant.await_true(lambda: not seen(), "the gate closed again")


def skip_containers(plant: Plant, place: str) -> Iterator[Named]:
    """Make the gate overlook unsigned images at one `place` of a pod: a key of `OVERLOOKED`."""
    tried = trial(plant, "Pod", place, "unsigned")
    with webhook_filtered(plant, OVERLOOKED[place], tried):
        yield first_named(plant, tried)


def warn_only(plant: Plant, tried: AdmissionTrial) -> Iterator[Named]:
    """Make every image policy only warn."""
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
    """Take the rule away that forces the opt-in label on namespaces."""
    kube = Kube.from_profile(plant.profile)
    live = place_to_try(kube, EXEMPT)

    def free() -> bool:
        return all(pair.attempt.admitted for pair in unlabelled_pairs(kube, OPT_IN, live.namespace))

    audit = {"spec": {"validationActions": ["Audit"]}}
    kind = "ValidatingAdmissionPolicyBinding"
    with plant.patched(kind, "", "signature-opt-in", audit, api_version=REGISTRATION):
        plant.await_true(free, "namespaces without the label")
        yield
    plant.await_true(lambda: not free(), "the label forced again")


__all__ = [
    "VARIANTS",
    "admitted",
    "controller_pod",
    "first_named",
    "opt_in_lifted",
    "skip_containers",
    "trial",
    "warn_only",
    "webhook_filtered",
]
