"""SEC-02: every workload kind, container, bad signature, change and requester, at every API server."""

import pytest

from assay.errors import AssayError
from assay.model import Record
from assay.probes.kube import gate, requesters
from assay.probes.kube.changes import change_pairs, overlooked_pairs, standing_name
from assay.probes.kube.registrations import image_gate
from assay.probes.kube.shapes import KINDS, PLACES, VOLUME, admission_trials
from assay.stack import DecoyStack


@pytest.mark.control("SEC-02")
def test_every_kind_and_container_is_gated(stack: DecoyStack, control: Record) -> None:
    """Try the whole matrix of new and changed objects in a decoy, by dry runs, and by each who may."""
    kube, signed, bad = stack.kube, stack.samples.signed, gate.images(stack.samples)
    guard, prefix = image_gate(kube, stack.platform.signatures), stack.platform.identity.prefix
    with stack.decoy(guard.inside()) as decoy:
        decoy.stand(signed)
        pairs = gate.workload_pairs(kube, decoy.namespace, admission_trials(KINDS, PLACES, bad, signed))
        pairs += gate.workload_pairs(kube, decoy.namespace, admission_trials(["Pod"], [VOLUME], bad, signed))
        pairs += gate.ephemeral_pairs(kube, decoy.namespace, standing_name("Pod"), bad, signed)
        changed, fixed = change_pairs(kube, decoy.namespace, bad, signed)
        pairs += changed
        for n, labels in enumerate(guard.overlooked()):
            decoy.stand(signed, labels, f"assay-bearing-{n}")
            pairs += overlooked_pairs(
                kube, decoy.namespace, labels, f"assay-bearing-{n}", bad["unsigned"], signed
            )
        baseline = decoy.controller_made("signed", signed)
        pairs += [gate.AdmissionPair(decoy.controller_made(*one), baseline) for one in bad.items()]
        rights = requesters.image_rights(kube.grants())
        rights += map(requesters.rights_of_editor, decoy.appoint("assay-deployer", f"{prefix}assay-person"))
        asked, untried = requesters.requester_pairs(
            kube, rights, decoy.namespace, bad["unsigned"], signed, fixed
        )
    for pair in control.population([*pairs, *asked]):
        try:
            layer = guard.layer(pair.attempt.reason, by_form=pair.by_form)
            if control.refused(pair.attempt, pair.baseline, layer):
                control.assume(
                    guard.explains(pair.attempt.reason, by_form=pair.by_form),
                    f"not refused for its signature: {pair.attempt.reason}",
                )
        except AssayError as problem:
            control.unread(pair.attempt, problem)
    control.note("gate", ", ".join(guard.products))
    control.note("images that nobody can change", ", ".join(fixed))
    control.note("asked in the name of", f"{len(rights)} accounts; {len(untried)} requests they may not make")
    assert not control.found
