"""SEC-24: Vault is unsealed and highly available, is audited, and has no root token."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from assay.errors import ProbeError
from assay.model import Offender, Record
from assay.probes.vault.client import Vault
from assay.probes.vault.facts import AuditDevice, Health, Token
from assay.stack import ReadStack


T = TypeVar("T")
RAFT = "raft"


@pytest.mark.control("SEC-24")
def test_vault_is_available_and_accountable(stack: ReadStack, control: Record) -> None:
    """Judge every member by its own answer, the storage by its leader's, audit devices and live tokens."""
    vault, declared = stack.vault, stack.platform.vault.storages
    members = control.population(vault.health(), of=len(vault.addresses))
    control.offenders(Offender(m.ref, m.state) for m in members if not m.works)
    storage = vault.storage()
    control.note("storage", storage)
    if storage == RAFT:
        _read(control, "Vault storage", lambda: _voters(control, vault, members))
    else:
        reasons = [one.reason for one in declared if one.type == storage]
        _read(control, "Vault storage", lambda: _standbys(control, vault, storage, reasons))
    devices: list[AuditDevice] | None = _read(control, "Vault audit", vault.audit_devices)
    if devices is not None:
        _audited(control, devices)
    tokens: list[Token] | None = _read(control, "tokens of Vault", vault.tokens)
    if tokens is not None:
        control.offenders((t for t in control.population(tokens) if t.is_root), "a root token lives")
    assert not control.found


def _read(control: Record, what: str, ask: Callable[[], T]) -> T | None:
    """Return what is answered; None, and noted as not read, where it is not: the other parts are judged."""
    try:
        return ask()
    except ProbeError as problem:
        control.unread(what, problem)
    return None


def _voters(control: Record, vault: Vault, members: Sequence[Health]) -> None:
    """Judge Vault's own storage cluster, as its leader has it."""
    peers, state = control.population(vault.peers()), vault.autopilot()
    silent = [m.address for m in members if not m.answers]
    control.assume(
        not silent or bool(state.unhealthy),
        f"no answer from {', '.join(silent)}, but the storage cluster calls every member healthy",
    )
    voters = control.measured(sum(p.voter for p in peers), "members", "voters")
    tolerance = control.measured(state.tolerance, "members", "failure_tolerance")
    active = sum(m.code == 200 for m in members)
    # One address may stand for all members: then the active one need not have answered.
    counted = active > 1 or (not active and len(members) >= len(peers))
    control.offenders((p for p in peers if not p.voter), "does not vote")
    control.offenders((f"VaultPeer {node}" for node in state.unhealthy), "is not healthy")
    control.offenders((p for p in peers if counted and p.leader), f"{active} are active")
    if voters < control.limit("voters") or tolerance < control.limit("failure_tolerance"):
        control.offender("Vault storage", f"{voters:.0f} voters, survives the loss of {tolerance:.0f}")


def _standbys(control: Record, vault: Vault, storage: str, reasons: Sequence[str]) -> None:
    """Judge the members of a Vault whose data another system keeps: one is active, others stand by."""
    if not vault.ha_enabled():
        control.offender("Vault storage", f"keeps its data in {storage}, where no other member takes over")
        return
    nodes = control.population(vault.nodes())
    active = sum(node.active for node in nodes)
    tolerance = control.measured(len(nodes) - 1, "members", "failure_tolerance")
    control.offenders((node for node in nodes if node.active and active > 1), f"{active} are active")
    if tolerance < control.limit("failure_tolerance"):
        control.offender("Vault storage", f"{len(nodes)} members, survives the loss of {tolerance:.0f}")
    for reason in reasons:
        control.rests_on(f"declaration that {storage} survives the loss of a member: {reason}")
    if not reasons:
        remedy = "say why it does under [[platform.vault.storages]]"
        part = f"whether {storage} survives the loss of one of its own members"
        control.unchecked(part, "Vault does not know", remedy)


def _audited(control: Record, devices: Sequence[AuditDevice]) -> None:
    """Judge that one device keeps everything; what the others lose is then not lost."""
    control.note("audit devices", ", ".join(f"{d.path} ({d.kind})" for d in devices) or "none")
    if not devices:
        control.offender("Vault audit", "no audit device is enabled")
    elif all(d.loss for d in devices):
        control.offenders(Offender(d.ref, d.loss) for d in devices)
