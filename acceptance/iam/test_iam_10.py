"""IAM-10: people log in by OIDC with their groups, anonymous callers are refused, admins are declared."""

import pytest

from assay.config.platform import covered
from assay.errors import AssayError, ProbeError
from assay.model import Record
from assay.probes.kube.escalation import RightsGraph
from assay.probes.kube.people import IdentityFlags, identity_flags
from assay.probes.kube.reviews import confirmed
from assay.probes.net.oidc import Claims, PersonToken
from assay.stack import ReadStack


@pytest.mark.control("IAM-10")
def test_only_known_people_and_admins(stack: ReadStack, control: Record) -> None:
    """Judge each API server's answer to no credential and to good and bad tokens, and then every grant."""
    kube, flags = stack.kube, identity_flags(stack.kube)
    for server in control.population(kube.apiservers, of=len(stack.profile.talos.controlplanes) or None):
        for path in control.listed("anonymous_paths"):
            if kube.anonymous(server, path).status != 401:
                control.offender(f"Apiserver {server}{path}", "answers a caller without credentials")
        try:
            _people(stack, control, server, flags.get(server, IdentityFlags(configured=True)))
        except AssayError as problem:
            control.unread(f"people at {server}", problem)
    _grants(stack, control)
    assert not control.found


def _people(stack: ReadStack, control: Record, server: str, flags: IdentityFlags) -> None:
    """Judge how one server maps people: by its flags, and by every token that the profile lets us have."""
    claims = Claims(flags.username_claim, flags.groups_claim or "groups")
    persons, bad = stack.people.tokens(flags.issuer, flags.client_id, claims)
    control.offenders(f"Apiserver {server}: {fault}" for fault in flags.faults())
    for why, token in bad.items():
        if stack.kube.whoami(server, token).status != 401:
            control.offender(f"Apiserver {server}", f"accepts {why}")
    prefix = stack.platform.identity.prefix or flags.groups_prefix
    for person in persons:
        _mapped(stack, control, server, person, (prefix, stack.platform.identity.prefix or flags.user_prefix))
    if not persons and flags.configured:
        why = "neither its flags nor a person's token says how people are mapped"
        raise ProbeError(why, "give a file with one person's token as user_token under [oidc]")


def _mapped(
    stack: ReadStack, control: Record, server: str, person: PersonToken, prefixes: tuple[str, str]
) -> None:
    """Judge what one server takes a person for: name and groups as in the token, each behind its prefix."""
    found, (group, user) = stack.kube.whoami(server, person.token), prefixes
    control.assume(found.status == 201, f"{server} does not know a person of the issuer: {found.status}")
    groups = {name for name in found.groups if name != "system:authenticated"}
    fine = found.user in {f"{user}{name}" for name in person.names} and group
    if not fine or groups != {f"{group}{name}" for name in person.groups}:
        control.offender(found, f"maps a person to {found.user} in {sorted(groups)}")


def _grants(stack: ReadStack, control: Record) -> None:
    """Judge every grant: who equals an administrator, and what everybody may do."""
    meant, named = stack.platform.identity.administrators, stack.platform.namespaces
    rbac = stack.kube.rbac()
    control.population(rbac.grants)
    graph = RightsGraph(rbac, lambda space: covered(space, named.privileged))
    for found in graph.escalations():
        if covered(found.grant.entry, meant):
            continue
        if confirmed(stack.kube, found.grant.subject, found.reasons[0]) is False:
            control.note(f"{found.ref} is not in force", "the API server denies what RBAC grants")
        else:
            control.offender(found, f"{found.grant.subject} {found.why}")
    for grant in graph.to_everybody():
        if not covered(grant.entry, meant):
            control.offender(grant, f"gives rights on resources to {grant.subject}")
