"""IAM-10: people log in by OIDC with their groups, anonymous callers are refused, admins are declared."""

import pytest

from assay.model import Offender, Record
from assay.stack import ReadStack


@pytest.mark.control("IAM-10")
def test_only_known_people_and_admins(stack: ReadStack, control: Record) -> None:
    """Judge every grant, and every API server's answer to no credential, a good token and three bad ones."""
    kube, issuer = stack.kube, stack.token_issuer
    prefix = stack.platform.identity.prefix
    servers = control.population(kube.apiservers, of=len(stack.profile.talos.controlplanes) or None)
    for server in servers:
        open_paths = [p for p in control.listed("anonymous_paths") if kube.anonymous(server, p).status != 401]
        control.offenders(
            (f"Apiserver {server}{p}" for p in open_paths), "answers a caller without credentials"
        )
        person = kube.whoami(server, issuer.token("assay-person", ["assay-group", "system:masters"]))
        control.assume(
            person.status == 201,
            f"{server} does not know a person of the stack's own issuer: {person.status}",
        )
        claimed = {g for g in person.groups if g != "system:authenticated"}
        mapped = person.user == f"{prefix}assay-person" and claimed == {
            f"{prefix}assay-group",
            f"{prefix}system:masters",
        }
        if not mapped:
            control.offender(person, f"maps a person to {person.user} in {sorted(person.groups)}")
        bad = {
            "a foreign key": issuer.token("assay-person", [], foreign=True),
            "an expired token": issuer.token("assay-person", [], late=True),
            "another client's token": issuer.token("assay-person", [], audience="another"),
        }
        taken = [why for why, token in bad.items() if kube.whoami(server, token).status != 401]
        control.offenders(Offender(person.ref, f"accepts {why}") for why in taken)
    grants = control.population(kube.grants())
    for grant in grants:
        if grant.powers and grant.entry not in stack.platform.identity.administrators:
            control.offender(grant, f"{grant.subject}: {', '.join(grant.powers)}")
    assert not control.found
