"""ACC-05: no image without a valid signature gets in.

No kind, no container, no change, no namespace, no API server lets it, and no registration leaves anybody out.
"""

import pytest

from assay.config.platform import covered
from assay.errors import AssayError
from assay.model import Record
from assay.probes.kube import gate
from assay.probes.kube.changes import change_pairs, standing_name
from assay.probes.kube.registrations import ImageGate, image_gate
from assay.probes.kube.shapes import admission_trials
from assay.stack import DecoyStack


KINDS, PLACES = ("Pod", "Deployment", "Job"), ("container", "init")


@pytest.mark.control("ACC-05")
def test_unsigned_images_are_refused(stack: DecoyStack, control: Record) -> None:
    """Try every way in, each beside a signed baseline request, and read who is left out of the gate's sight.

    Ways in: kinds, ephemeral containers, changes, namespaces, labels of namespaces, a controller.
    """
    kube, signed, exempt = stack.kube, stack.samples.signed, stack.platform.namespaces.unsigned
    bad, guard = gate.images(stack.samples), image_gate(kube, stack.platform.signatures)
    with stack.decoy(guard.inside()) as decoy:
        decoy.stand(signed)
        pairs = gate.workload_pairs(kube, decoy.namespace, admission_trials(KINDS, PLACES, bad, signed))
        pairs += gate.ephemeral_pairs(kube, decoy.namespace, standing_name("Pod"), bad, signed)
        pairs += change_pairs(kube, decoy.namespace, {"unsigned": bad["unsigned"]}, signed)[0]
        pairs += [gate.AdmissionPair(decoy.controller_made("unsigned", bad["unsigned"]),
                                     decoy.controller_made("signed", signed))]  # fmt: skip
        ways = gate.ways_out(kube, guard.inside(), guard.outside(), decoy.namespace)
    spaces = [space for space in kube.namespaces() if space.active and not covered(space.name, exempt)]
    tried = gate.namespace_pairs(kube, spaces, bad["unsigned"], signed)
    there = {space.name for space in kube.namespaces() if space.active}
    pairs += [pair for space, pair in tried if space.name in there]
    for way in ways:
        pairs += _tried_outside(stack, way, bad["unsigned"]) if way.open else []
    for pair in control.population(pairs):
        _judge(control, guard, pair)
    _read(stack, control, guard)
    control.note("ways out of the gate's sight that were tried", len(ways))
    assert not control.found


def _judge(control: Record, guard: ImageGate, pair: gate.AdmissionPair) -> None:
    """Judge one request beside its baseline."""
    reason = pair.attempt.reason
    try:
        if control.refused(pair.attempt, pair.baseline, guard.layer(reason, by_form=pair.by_form)):
            explained = guard.explains(reason, by_form=pair.by_form)
            control.assume(explained, f"not refused for its signature: {reason}")
    except AssayError as problem:
        control.unread(pair.attempt, problem)


def _tried_outside(stack: DecoyStack, way: gate.WayOut, image: str) -> list[gate.AdmissionPair]:
    """Return the way as it was answered where an unsigned pod gets in behind it, else that pod's refusals."""
    with stack.decoy(way.labels) as outside:
        trials = admission_trials(["Pod"], ["container"], {"unsigned": image}, stack.samples.signed)
        pairs = gate.workload_pairs(stack.kube, outside.namespace, trials)
    if not any(pair.attempt.admitted for pair in pairs):
        return pairs
    return [pair for pair in (*way.made, *way.relabelled) if pair.attempt.admitted]


def _read(stack: DecoyStack, control: Record, guard: ImageGate) -> None:
    """Judge what no request can show: whether the gate fails open, and whom it leaves out."""
    meant = [one.match for one in stack.platform.signatures.exemptions]
    control.note("gate", ", ".join(guard.products))
    for operation, resource in guard.open_parts():
        control.offender(f"{operation} {resource}", "no webhook that verifies signatures fails closed here")
    for hook in guard.hooks:
        for name, text in hook.exempting_conditions():
            if not covered(f"{hook.ref}: {name}", tuple(meant)):
                control.offender(f"{hook.ref}: {name}", f"leaves requesters out: {text}")
    for one in guard.exempted:
        if not covered(f"{one.ref}: {one.requester}", tuple(meant)):
            control.offender(f"{one.ref}: {one.requester}", "leaves requesters out")
