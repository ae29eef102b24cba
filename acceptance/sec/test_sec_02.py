"""SEC-02: every workload kind, container, bad signature, change and requester, at every API server."""

from dataclasses import replace

import pytest

from assay.config.platform import covered
from assay.errors import AssayError
from assay.model import Record
from assay.probes.kube import gate, requesters
from assay.probes.kube.changes import change_pairs, overlooked_pairs, standing_name
from assay.probes.kube.registrations import ImageGate, image_gate
from assay.probes.kube.shapes import KINDS, PLACES, VOLUME, admission_trials
from assay.stack import DecoyStack, DryRunStack


IN_DECOY = "changes, ephemeral containers, labels that exempt and a controller's pods"


@pytest.mark.control("SEC-02")
def test_every_kind_and_container_is_gated(stack: DryRunStack, control: Record) -> None:
    """Try the whole matrix of new and changed objects by dry runs, and by everybody who may."""
    guard = image_gate(stack.kube, stack.platform.signatures)
    rights = requesters.image_rights(stack.kube.grants())
    if (more := stack.if_allowed(DecoyStack, control, IN_DECOY)) is not None:
        pairs, untried = _in_decoy(more, control, guard, rights)
    else:
        spared = stack.platform.namespaces.unsigned
        spaces = [n for n in stack.kube.namespaces() if n.active and not covered(n.name, spared)]
        place = control.population(n.name for n in spaces if guard.looks_into(n))[0]
        makes = [replace(one, changes={}) for one in rights]
        pairs = _made(stack, place)
        more_pairs, untried = _asked(stack, makes, place, [])
        pairs += more_pairs
    for pair in control.population(pairs):
        _judge(control, guard, pair)
    control.note("gate", ", ".join(guard.products))
    control.note("asked in the name of", f"{len(rights)} accounts; {len(untried)} requests they may not make")
    assert not control.found


Tried = tuple[list[gate.AdmissionPair], list[requesters.Untried]]


def _made(stack: DryRunStack, place: str) -> list[gate.AdmissionPair]:
    """Return what was answered to new objects of every kind in the namespace `place`."""
    signed, bad = stack.samples.signed, gate.images(stack.samples)
    pairs = gate.workload_pairs(stack.kube, place, admission_trials(KINDS, PLACES, bad, signed))
    return pairs + gate.workload_pairs(stack.kube, place, admission_trials(["Pod"], [VOLUME], bad, signed))


def _asked(stack: DryRunStack, rights: list[requesters.ImageRights], place: str, fixed: list[str]) -> Tried:
    """Return what was answered to everybody who may bring an image in."""
    signed, bad = stack.samples.signed, gate.images(stack.samples)
    return requesters.requester_pairs(stack.kube, rights, place, bad["unsigned"], signed, fixed)


def _in_decoy(
    stack: DecoyStack, control: Record, guard: ImageGate, rights: list[requesters.ImageRights]
) -> Tried:
    """Return all that can be tried in a namespace of the suite's own."""
    kube, signed, bad = stack.kube, stack.samples.signed, gate.images(stack.samples)
    with stack.decoy(guard.inside()) as decoy:
        decoy.stand(signed)
        pairs = _made(stack, decoy.namespace)
        pairs += gate.ephemeral_pairs(kube, decoy.namespace, standing_name("Pod"), bad, signed)
        changed, fixed = change_pairs(kube, decoy.namespace, bad, signed)
        control.note("images that nobody can change", ", ".join(fixed))
        for n, labels in enumerate(guard.overlooked()):
            name = f"assay-bearing-{n}"
            decoy.stand(signed, labels, name)
            changed += overlooked_pairs(kube, decoy.namespace, labels, name, bad["unsigned"], signed)
        baseline = decoy.controller_made("signed", signed)
        made = [gate.AdmissionPair(decoy.controller_made(*one), baseline) for one in bad.items()]
        appointed = decoy.appoint("assay-deployer", f"{stack.platform.identity.prefix}assay-person")
        editors = map(requesters.rights_of_editor, appointed)
        asked, untried = _asked(stack, [*rights, *editors], decoy.namespace, fixed)
    return [*pairs, *changed, *made, *asked], untried


def _judge(control: Record, guard: ImageGate, pair: gate.AdmissionPair) -> None:
    """Judge one request beside its baseline."""
    reason = pair.attempt.reason
    try:
        if control.refused(pair.attempt, pair.baseline, guard.layer(reason, by_form=pair.by_form)):
            explained = guard.explains(reason, by_form=pair.by_form)
            control.assume(explained, f"not refused for its signature: {reason}")
    except AssayError as problem:
        control.unread(pair.attempt, problem)
