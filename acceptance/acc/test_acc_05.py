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
from assay.stack import DecoyStack, DryRunStack


KINDS, PLACES = ("Pod", "Deployment", "Job"), ("container", "init")
IN_DECOY = "changes, ephemeral containers, a controller's pods and namespaces out of the gate's sight"


@pytest.mark.control("ACC-05")
def test_unsigned_images_are_refused(stack: DryRunStack, control: Record) -> None:
    """Try every way in, each beside a signed baseline request, and read who is left out of the gate's sight.

    Ways in: kinds, ephemeral containers, changes, namespaces, labels of namespaces, a controller.
    """
    kube, exempt = stack.kube, stack.platform.namespaces.unsigned
    bad, guard = gate.images(stack.samples), image_gate(kube, stack.platform.signatures)
    spaces = [space for space in kube.namespaces() if space.active and not covered(space.name, exempt)]
    tried = gate.namespace_pairs(kube, spaces, bad["unsigned"], stack.samples.signed)
    there = {space.name for space in kube.namespaces() if space.active}
    pairs = [pair for space, pair in tried if space.name in there]
    if (more := stack.if_allowed(DecoyStack, control, IN_DECOY)) is not None:
        pairs += _in_decoy(more, control, guard, bad)
    for pair in control.population(pairs):
        _judge(control, guard, pair)
    _read(stack, control, guard)
    assert not control.found


def _in_decoy(
    stack: DecoyStack, control: Record, guard: ImageGate, bad: dict[str, str]
) -> list[gate.AdmissionPair]:
    """Return what was tried in a namespace of the suite's own, and in those out of the gate's sight."""
    kube, signed, unsigned = stack.kube, stack.samples.signed, bad["unsigned"]
    with stack.decoy(guard.inside()) as decoy:
        decoy.stand(signed)
        pairs = gate.workload_pairs(kube, decoy.namespace, admission_trials(KINDS, PLACES, bad, signed))
        pairs += gate.ephemeral_pairs(kube, decoy.namespace, standing_name("Pod"), bad, signed)
        pairs += change_pairs(kube, decoy.namespace, {"unsigned": unsigned}, signed)[0]
        baseline = decoy.controller_made("signed", signed)
        pairs.append(gate.AdmissionPair(decoy.controller_made("unsigned", unsigned), baseline))
        ways = gate.ways_out(kube, guard.inside(), guard.outside(), decoy.namespace)
    control.note("ways out of the gate's sight that were tried", len(ways))
    return pairs + [pair for way in ways if way.open for pair in _outside(stack, way, unsigned)]


def _judge(control: Record, guard: ImageGate, pair: gate.AdmissionPair) -> None:
    """Judge one request beside its baseline."""
    reason = pair.attempt.reason
    try:
        if control.refused(pair.attempt, pair.baseline, guard.layer(reason, by_form=pair.by_form)):
            explained = guard.explains(reason, by_form=pair.by_form)
            control.assume(explained, f"not refused for its signature: {reason}")
    except AssayError as problem:
        control.unread(pair.attempt, problem)


def _outside(stack: DecoyStack, way: gate.WayOut, image: str) -> list[gate.AdmissionPair]:
    """Return the way as it was answered where an unsigned pod gets in behind it, else that pod's refusals."""
    with stack.decoy(way.labels) as outside:
        trials = admission_trials(["Pod"], ["container"], {"unsigned": image}, stack.samples.signed)
        pairs = gate.workload_pairs(stack.kube, outside.namespace, trials)
    if not any(pair.attempt.admitted for pair in pairs):
        return pairs
    return [pair for pair in (*way.made, *way.relabelled) if pair.attempt.admitted]


def _read(stack: DryRunStack, control: Record, guard: ImageGate) -> None:
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
