"""SEC-02: every workload kind, every container and every kind of bad signature, at every API server."""

import pytest

from assay.model import Record
from assay.probes.kube import gate
from assay.probes.kube.shapes import KINDS, PLACES, VOLUME, admission_trials
from assay.stack import DecoyStack


@pytest.mark.control("SEC-02")
def test_every_kind_and_container_is_gated(stack: DecoyStack, control: Record) -> None:
    """Try the whole matrix as dry runs, and one controller that the gate does not look into for real."""
    kube, signed, bad = stack.kube, stack.samples.signed, gate.images(stack.samples)
    layers, label = control.listed("layers"), control.scalar("opt_in")
    live = gate.place_to_try(kube, stack.platform.namespaces.unsigned)
    pairs = gate.workload_pairs(kube, live.namespace, admission_trials(KINDS, PLACES, bad, signed))
    pairs += gate.workload_pairs(kube, live.namespace, admission_trials(["Pod"], [VOLUME], bad, signed))
    pairs += gate.ephemeral_pairs(kube, live, bad, signed)
    key, _, value = label.partition("=")
    with stack.decoy({key: value}) as decoy:
        baseline = decoy.controller_made("signed", signed)
        pairs += [
            gate.AdmissionPair(decoy.controller_made(variant, image), baseline)
            for variant, image in bad.items()
        ]
    control.population(pairs)
    for pair in pairs:
        control.refused(pair.attempt, pair.baseline, pair.layer(layers))
    for pair in pairs:
        words = f"not refused for its signature: {pair.attempt.reason}"
        control.assume(gate.explained(pair.attempt, control.listed("verdicts")), words)
    assert not control.found
