"""The signature gate, tried: every request beside its baseline, at every API server by its own address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from assay.config.profile import Samples
from assay.errors import ProbeError
from assay.model import Attempt
from assay.probes.kube.dry_run import DryRunKube
from assay.probes.kube.facts import Namespace
from assay.probes.kube.paths import one
from assay.probes.kube.shapes import (
    VOLUME,
    AdmissionTrial,
    admission_trials,
    bare_namespace,
    container_spec,
)
from assay.probes.kube.wire import STRATEGIC


VARIANTS = ("unsigned", "otherkey", "otherdigest", "tagmoved")
THROWAWAY = "assay-throwaway"
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AdmissionPair:
    """A request that must be refused, and its baseline that must be admitted, answered in the same minute.

    `by_form`: the image may be refused for how it is asked for, by tag or as a volume, with no look at its
    signature.
    """

    attempt: Attempt
    baseline: Attempt
    by_form: bool = False


def by_form(image: str, place: str = "container") -> bool:
    """Return whether a rule without a look at signatures may refuse an image: by tag, or as a volume."""
    return place == VOLUME or "@sha256:" not in image


def images(samples: Samples) -> dict[str, str]:
    """Return the images that must be refused, by variant.

    Raises:
        ProbeError: the profile lacks one of them, or the signed sample.
    """
    for variant in (*VARIANTS, "signed"):
        if not getattr(samples, variant):
            raise ProbeError(f"the profile names no {variant} image", f"set {variant} under [samples]")
    return {variant: getattr(samples, variant) for variant in VARIANTS}


def workload_pairs(kube: DryRunKube, namespace: str, tried: Iterable[AdmissionTrial]) -> list[AdmissionPair]:
    """Return one pair per trial and API server; those of one kind and place share a baseline."""
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
            AdmissionPair(
                known[trial, server], known[trial.baseline, server], by_form(trial.image, trial.place)
            )
            for trial, server in group
        ]
    return found


def _try(kube: DryRunKube, namespace: str, trial: AdmissionTrial, server: str) -> Attempt:
    return kube.dry_run(server, trial.manifest(namespace), trial.ref(server))


def ephemeral_pairs(
    kube: DryRunKube, namespace: str, pod: str, variants: Mapping[str, str], sound: str
) -> list[AdmissionPair]:
    """Return one pair per variant and API server.

    An ephemeral container attached to a signed `pod` that stands in `namespace`, as a dry run.
    """
    trials = admission_trials(["Pod"], ["ephemeral"], variants, sound)
    wanted = [*trials, trials[0].baseline]
    asked = [(trial, server) for trial in wanted for server in kube.apiservers]
    answers = kube.together(
        partial(_attach, kube, one("Pod", namespace, pod), trial, server) for trial, server in asked
    )
    known = dict(zip(asked, answers, strict=True))
    return [
        AdmissionPair(known[trial, server], known[trials[0].baseline, server], by_form(trial.image))
        for trial in trials
        for server in kube.apiservers
    ]


def _attach(kube: DryRunKube, pod: str, trial: AdmissionTrial, server: str) -> Attempt:
    debugger = container_spec("assay-debugger", trial.image)
    del debugger["resources"]
    body = {"spec": {"ephemeralContainers": [debugger]}}
    return kube.dry_run_patch(server, f"{pod}/ephemeralcontainers", body, trial.ref(server), STRATEGIC)


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


@dataclass(frozen=True, slots=True)
class WayOut:
    """A way to take a namespace out of the gate's sight: `labels` that it would carry.

    `made` and `relabelled` are the answers of the API servers to a new namespace with these labels and to
    putting them on one that has others, as dry runs, each beside a baseline with labels inside.
    """

    labels: Labels
    made: tuple[AdmissionPair, ...]
    relabelled: tuple[AdmissionPair, ...]

    @property
    def open(self) -> bool:
        """Return whether an API server lets somebody make such a namespace, or make one of another."""
        return any(pair.attempt.admitted for pair in (*self.made, *self.relabelled))


def ways_out(kube: DryRunKube, inside: Labels, outside: Sequence[Labels], live: str) -> list[WayOut]:
    """Return how the API servers answer to each set of labels that leads `outside`, by dry runs.

    `live` is a namespace that is inside.
    """
    return [
        WayOut(
            labels,
            tuple(_made(kube, server, inside, labels) for server in kube.apiservers),
            tuple(_relabelled(kube, server, inside, labels, live) for server in kube.apiservers),
        )
        for labels in outside
    ]


def way_out(labels: Labels, inside: Labels, server: str, how: str = "made") -> str:
    """Return what the suite calls one way out of the gate at one API server.

    For example `Namespace made without policy.sigstore.dev/include at https://10.98.0.11:6443`.
    """
    parts = [f"without {key}" for key in inside if key not in labels]
    parts += [f"with {key}={value}" for key, value in labels.items() if inside.get(key) != value]
    return f"Namespace {how} {' and '.join(parts) or 'as it is'} at {server}"


def _made(kube: DryRunKube, server: str, inside: Labels, labels: Labels) -> AdmissionPair:
    tried, sound = (
        kube.dry_run(server, bare_namespace(THROWAWAY, given), way_out(given, inside, server))
        for given in (labels, inside)
    )
    return AdmissionPair(tried, sound)


def _relabelled(kube: DryRunKube, server: str, inside: Labels, labels: Labels, live: str) -> AdmissionPair:
    off: dict[str, str | None] = {key: None for key in inside if key not in labels}
    name, path = way_out(labels, inside, server, "relabelled"), one("Namespace", "", live)
    tried, sound = (
        kube.dry_run_patch(server, path, {"metadata": {"labels": put}}, name)
        for put in ({**off, **labels}, {"assay.dev/other": "true"})
    )
    return AdmissionPair(tried, sound)
