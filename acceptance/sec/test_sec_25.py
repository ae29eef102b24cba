"""SEC-25: a role of Vault admits one service account for a short time, and reads its own paths only."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import pytest

from assay.config.platform import VaultLayout
from assay.errors import ProbeError
from assay.model import Offender, Record
from assay.probes.vault.client import Vault
from assay.probes.vault.policy import VaultPolicy, VaultRole
from assay.stack import ReadStack, WriteStack


AUDIENCE = "assay-elsewhere"
KUBERNETES = "kubernetes"


@pytest.mark.control("SEC-25", tier="static")
def test_declared_roles_and_policies_are_narrow(stack: ReadStack, control: Record) -> None:
    """Judge every role and policy that Git declares."""
    roles = control.population(stack.vault_files.roles())
    policies = control.population(stack.vault_files.policies())
    control.offenders(too_wide(control, stack.platform.vault, roles, policies))
    assert not control.found


@pytest.mark.control("SEC-25", tier="live")
def test_vault_admits_and_gives_only_what_is_declared(stack: ReadStack, control: Record) -> None:
    """Judge what the running Vault has, compare it with Git, and try to log in with the wrong account."""
    vault, files = stack.vault, stack.vault_files
    declared, policies = files.roles(), control.population(vault.policies())
    roles = control.population(live_roles(vault, control, {role.mount for role in declared}))
    control.offenders(too_wide(control, stack.platform.vault, roles, policies))
    built_in = control.listed("built_in")
    control.offenders(differing(roles, declared))
    control.offenders(differing([p for p in policies if p.name not in built_in], files.policies()))
    accounts = {
        (a["metadata"]["namespace"], a["metadata"]["name"]) for a in stack.kube.objects("ServiceAccount")
    }
    tried = [(r, s, a) for r in roles for s in r.namespaces for a in r.accounts if (s, a) in accounts]
    control.population(tried)
    part = "logins at Vault, each with the right account and two wrong ones"
    if (workload := stack.if_allowed(WriteStack, control, part)) is not None:
        for one in tried:
            try_logins(workload, control, *one)
    assert not control.found


def live_roles(vault: Vault, control: Record, declared: Collection[str]) -> list[VaultRole]:
    """Return the roles of every Kubernetes auth method; one that admits anybody undeclared is an offender."""
    methods = vault.auth_methods()
    control.note("auth methods", ", ".join(f"{path} ({kind})" for path, kind in sorted(methods.items())))
    found = []
    for mount in sorted(path.strip("/") for path, kind in methods.items() if kind == KUBERNETES):
        try:
            inside = vault.roles(mount)
        except ProbeError as problem:
            control.unread(f"roles of auth/{mount}", problem)
            inside = []
        found += inside
        if mount not in declared and (inside or any(gap.ref.endswith(f"/{mount}") for gap in control.gaps)):
            control.offender(f"VaultAuth {mount}", "admits service accounts, and no declared role is of it")
    return found


def try_logins(stack: WriteStack, control: Record, role: VaultRole, space: str, account: str) -> None:
    """Judge that a role admits its own account, not its neighbour, and no token for another audience."""
    vault, kube = stack.vault, stack.kube
    mount = role.mount
    own = kube.service_token(space, account, role.audience)
    right = vault.login(role.name, own, f"{space}/{account}", mount)
    neighbour = kube.service_token(space, "default", role.audience)
    foreign = kube.service_token(space, account, AUDIENCE)
    other = vault.login(role.name, neighbour, f"{space}/default to {role.name}", mount)
    aside = vault.login(role.name, foreign, f"{space}/{account} for {AUDIENCE} to {role.name}", mount)
    control.refused(other, right, "not authorized")
    control.refused(aside, right, "audience")


def too_wide(
    control: Record, layout: VaultLayout, roles: Sequence[VaultRole], policies: Iterable[VaultPolicy]
) -> list[Offender]:
    """Return the roles that admit too many or for too long, and the policies that give too much."""
    life, known = control.limit("login_life"), {p.name: p for p in policies}
    plain, granted = control.listed("capabilities"), (*control.listed("granted"), *layout.granted)
    unbound = (*control.listed("unbound"), *layout.unbound)
    reads = single_reads(known.values(), plain, granted)
    found = []
    for role in roles:
        ends = role.open_ends()
        ends += [f"policy {name} is not declared" for name in role.policies if name not in known]
        ends += [f"carries {name}" for name in role.policies if name in unbound]
        ends += [] if 0 < role.ttl <= life and 0 < role.max_ttl <= life else ["lasts too long"]
        ends += [] if role.policies else ["carries no policy"]
        ends += foreign(role, roles, reads)
        found += [Offender(role.ref, "; ".join(ends))] if ends else []
    for policy in known.values():
        beyond = [r for r in policy.rules if r.wild or set(r.capabilities) - {*plain, "deny"}]
        wide = [str(r) for r in beyond if r.grants and f"{policy.name} {r}" not in granted]
        found += [Offender(policy.ref, f"gives {'; '.join(wide)}")] if wide else []
    return found


def foreign(role: VaultRole, roles: Iterable[VaultRole], reads: Mapping[str, Collection[str]]) -> list[str]:
    """Return what a role may read that is not its own: another namespace's by name or use, or the system's.

    Args:
        role: the role.
        roles: all of them.
        reads: name of a policy -> the single paths that it lets a token read, those granted left out.
    """
    others = [one for one in roles if set(one.namespaces) != set(role.namespaces)]
    found = []
    for path in sorted({path for name in role.policies for path in reads.get(name, ())}):
        if role.owns(path):
            continue
        theirs = next((one for one in others if one.owns(path)), None)
        too = next((one for one in others if any(path in reads.get(name, ()) for name in one.policies)), None)
        if owner := theirs or too:
            found.append(f"reads {path}, which is that of {owner.ref}")
        elif path.startswith("sys/"):
            found.append(f"reads {path}, which is Vault's own")
    return found


def single_reads(
    policies: Iterable[VaultPolicy], plain: Collection[str], granted: Collection[str]
) -> dict[str, list[str]]:
    """Return policy -> the single paths that it lets a token read, those granted left out."""
    return {
        policy.name: [
            rule.path
            for rule in policy.rules
            if rule.grants and not rule.wild and not set(rule.capabilities) - {*plain}
            if f"{policy.name} {rule}" not in granted
        ]
        for policy in policies
    }


def differing(
    live: Iterable[VaultRole | VaultPolicy], declared: Iterable[VaultRole | VaultPolicy]
) -> list[Offender]:
    """Return what is in Vault but not in Git, the other way round, or not the same in both."""
    here, there = {x.ref: x for x in live}, {x.ref: x for x in declared}
    return [
        *(Offender(name, "is in Vault but not in Git") for name in here.keys() - there.keys()),
        *(Offender(name, "is in Git but not in Vault") for name in there.keys() - here.keys()),
        *(
            Offender(name, "is not what Git says")
            for name in here.keys() & there.keys()
            if here[name].comparable != there[name].comparable
        ),
    ]
