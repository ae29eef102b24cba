"""The signature gate, tried: every request beside its twin, at every API server by its own address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from assay.config.platform import covered
from assay.config.profile import Samples
from assay.errors import ProbeError
from assay.model import Attempt
from assay.probes.kube.client import Kube
from assay.probes.kube.dry_run import DryRunKube
from assay.probes.kube.facts import Namespace, Pod
from assay.probes.kube.paths import one
from assay.probes.kube.shapes import AdmissionTrial, admission_trials, bare_namespace, container_spec


OPT_IN = {"policy.sigstore.dev/include": "true"}  # the label of namespaces that the gate looks into
VARIANTS = ("unsigned", "otherkey", "otherdigest", "tagmoved")
THROWAWAY = "assay-throwaway"


@dataclass(frozen=True, slots=True)
class AdmissionPair:
    """A request that must be refused, and its twin that must be admitted, answered within the same minute."""

    attempt: Attempt
    baseline: Attempt

    def layer(self, layers: Sequence[str]) -> str:
        """Return which of the gate's `layers` refused; the first of them where none did."""
        return next((layer for layer in layers if layer in self.attempt.reason), layers[0])


def images(samples: Samples) -> dict[str, str]:
    """Return the images that must be refused, by variant.

    Raises:
        ProbeError: the profile lacks one of them, or the signed twin.
    """
    for variant in (*VARIANTS, "signed"):
        if not getattr(samples, variant):
            raise ProbeError(f"the profile names no {variant} image", f"set {variant} under [samples]")
    return {variant: getattr(samples, variant) for variant in VARIANTS}


def workload_pairs(kube: DryRunKube, namespace: str, tried: Iterable[AdmissionTrial]) -> list[AdmissionPair]:
    """Return one pair per trial and API server; trials of one kind and place share their twin's answer."""
    found = []
    wanted = list(tried)
    for kind in dict.fromkeys(trial.kind for trial in wanted):
        group = [(trial, server) for trial in wanted if trial.kind == kind for server in kube.apiservers]
        baselines = list(dict.fromkeys((trial.baseline, server) for trial, server in group))
        answers = kube.together(
            partial(_try, kube, namespace, trial, server) for trial, server in [*group, *baselines]
        )
        known = dict(zip([*group, *baselines], answers, strict=True))
        found += [
            AdmissionPair(known[trial, server], known[trial.baseline, server]) for trial, server in group
        ]
    return found


def _try(kube: DryRunKube, namespace: str, trial: AdmissionTrial, server: str) -> Attempt:
    return kube.dry_run(server, trial.manifest(namespace), trial.ref(server))


def ephemeral_pairs(
    kube: DryRunKube, pod: Pod, variants: Mapping[str, str], sound: str
) -> list[AdmissionPair]:
    """Return one pair per variant and API server.

    An ephemeral container attached to a live, signed `pod`, as a dry run.
    """
    asked = [
        (trial, server)
        for trial in admission_trials(["Pod"], ["ephemeral"], variants, sound)
        for server in kube.apiservers
    ]
    answers = kube.together(partial(_attach, kube, pod, trial, server) for trial, server in asked)
    baselines = {server: _attach(kube, pod, asked[0][0].baseline, server) for server in kube.apiservers}
    return [
        AdmissionPair(answer, baselines[server]) for answer, (_, server) in zip(answers, asked, strict=True)
    ]


def _attach(kube: DryRunKube, pod: Pod, trial: AdmissionTrial, server: str) -> Attempt:
    debugger = container_spec("assay-debugger", trial.image)
    del debugger["resources"]
    return kube.dry_run_ephemeral(server, pod, debugger, trial.ref(server))


def namespace_pairs(
    kube: DryRunKube, namespaces: Iterable[Namespace], image: str, sound: str
) -> list[tuple[Namespace, AdmissionPair]]:
    """Return (namespace, pair) per namespace and API server.

    A bare pod of `image`, named as the namespace itself.
    """
    asked = [(space, server) for space in namespaces for server in kube.apiservers]
    bad = AdmissionTrial("Pod", "container", "unsigned", image, sound)
    calls = [
        partial(kube.dry_run, server, trial.manifest(space.name), space.ref)
        for space, server in asked
        for trial in (bad, bad.baseline)
    ]
    answers = kube.together(calls)
    return [(space, AdmissionPair(answers[2 * n], answers[2 * n + 1])) for n, (space, _) in enumerate(asked)]


def unlabelled_pairs(kube: DryRunKube, label: str, live: str) -> list[AdmissionPair]:
    """Return the ways out of the opt-in `label` (`key=value`), each at every API server, as dry runs.

    A new namespace without the label, one with another value, and the label taken off the `live` namespace.
    """
    key, _, value = label.partition("=")
    baseline = bare_namespace(THROWAWAY, {key: value})
    found = []
    for server in kube.apiservers:
        sound = kube.dry_run(server, baseline, way_out("labelled namespace", server))
        for how, labels in (
            ("namespace without the label", {}),
            ("namespace with the label off", {key: "false"}),
        ):
            found.append(
                AdmissionPair(
                    kube.dry_run(server, bare_namespace(THROWAWAY, labels), way_out(how, server)), sound
                )
            )
        found.append(_label_taken_off(kube, server, live, key))
    return found


def _label_taken_off(kube: DryRunKube, server: str, live: str, key: str) -> AdmissionPair:
    path = one("Namespace", "", live)
    off, other = (
        {"metadata": {"labels": {label: value}}} for label, value in ((key, None), ("assay.dev/twin", "true"))
    )
    return AdmissionPair(
        kube.dry_run_merge(server, path, off, way_out(TAKEN_OFF, server)),
        kube.dry_run_merge(server, path, other, way_out("another label set", server)),
    )


TAKEN_OFF = "the label taken off a namespace"


def way_out(how: str, server: str) -> str:
    """Return what the suite calls one way out of the opt-in label at one API server."""
    return f"{how} at {server}"


def place_to_try(kube: Kube, exempt: tuple[str, ...]) -> Pod:
    """Return a running pod outside the `exempt` namespaces, the first by name: trials are made beside it.

    Raises:
        ProbeError: there is none.
    """
    running = [pod for pod in kube.pods() if pod.phase == "Running" and not covered(pod.namespace, exempt)]
    if not running:
        raise ProbeError("no running pod outside the exempt namespaces", "is the workload deployed?")
    return min(running, key=lambda pod: (pod.namespace, pod.name))


def explained(attempt: Attempt, verdicts: Iterable[str]) -> bool:
    """Return True if a refusal is for want of a valid signature, and not because of a failed fetch."""
    return attempt.admitted or any(verdict in attempt.reason for verdict in verdicts)
