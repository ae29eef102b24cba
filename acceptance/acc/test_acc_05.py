"""ACC-05: no image without a valid signature gets in.

No kind, no container, no namespace, no API server lets it.
"""

import pytest

from assay.config.platform import covered
from assay.model import Record
from assay.probes.kube import gate
from assay.probes.kube.shapes import admission_trials
from assay.stack import DecoyStack


KINDS, PLACES = ("Pod", "Deployment", "Job"), ("container", "init")


@pytest.mark.control("ACC-05")
def test_unsigned_images_are_refused(stack: DecoyStack, control: Record) -> None:
    """Try every way in, each beside a signed baseline request.

    Ways in: kinds, ephemeral containers, namespaces, the opt-in label, a controller.
    """
    kube, signed, bad = stack.kube, stack.samples.signed, gate.images(stack.samples)
    layers, label, exempt = (
        control.listed("layers"),
        control.scalar("opt_in"),
        stack.platform.namespaces.unsigned,
    )
    live = gate.place_to_try(kube, exempt)
    pairs = gate.workload_pairs(kube, live.namespace, admission_trials(KINDS, PLACES, bad, signed))
    pairs += gate.ephemeral_pairs(kube, live, bad, signed)
    spaces = [space for space in kube.namespaces() if space.active and not covered(space.name, exempt)]
    tried = gate.namespace_pairs(kube, spaces, bad["unsigned"], signed)
    there = {space.name for space in kube.namespaces() if space.active}
    pairs += [pair for space, pair in tried if space.name in there]
    key, _, value = label.partition("=")
    with stack.decoy({key: value}) as decoy:
        baseline = decoy.controller_made("signed", signed)
        pairs.append(gate.AdmissionPair(decoy.controller_made("unsigned", bad["unsigned"]), baseline))
    ways_out = gate.unlabelled_pairs(kube, label, live.namespace)
    control.population([*pairs, *ways_out])
    for pair in pairs:
        control.refused(pair.attempt, pair.baseline, pair.layer(layers))
    for pair in ways_out:
        control.refused(pair.attempt, pair.baseline, control.scalar("opt_in_layer"))
    for pair in pairs:
        words = f"not refused for its signature: {pair.attempt.reason}"
        control.assume(gate.explained(pair.attempt, control.listed("verdicts")), words)
    assert not control.found
