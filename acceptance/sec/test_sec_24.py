"""SEC-24: Vault is unsealed and highly available, is audited, and has no root token."""

import pytest

from assay.model import Offender, Record
from assay.stack import ReadStack


@pytest.mark.control("SEC-24")
def test_vault_is_available_and_accountable(stack: ReadStack, control: Record) -> None:
    """Judge every member by its own answer, the storage cluster by its leader's, and every live token."""
    vault = stack.vault
    members = control.population(vault.health(), of=len(vault.addresses))
    peers, state = control.population(vault.peers()), vault.autopilot()
    silent = [m.address for m in members if not m.answers]
    control.assume(
        not silent or bool(state.unhealthy),
        f"no answer from {', '.join(silent)}, but the storage cluster calls every member healthy",
    )
    voters = control.measured(sum(p.voter for p in peers), "members", "voters")
    tolerance = control.measured(state.tolerance, "members", "failure_tolerance")
    active = [m for m in members if m.code == 200]
    control.offenders(Offender(m.ref, m.state) for m in members if not m.works)
    control.offenders((p for p in peers if not p.voter), "does not vote")
    control.offenders((f"VaultPeer {node}" for node in state.unhealthy), "is not healthy")
    control.offenders((p for p in peers if len(active) != 1 and p.leader), f"{len(active)} are active")
    if voters < control.limit("voters") or tolerance < control.limit("failure_tolerance"):
        why = f"{voters:.0f} voters, survives the loss of {tolerance:.0f}"
        control.offender("Vault storage", why)
    kinds = [s for s in vault.seals() if s.storage not in control.listed("storage")] if not silent else []
    control.offenders(kinds, "keeps its data on one member")
    devices = vault.audit_devices()
    control.note("audit devices", ", ".join(f"{d.path} ({d.kind})" for d in devices) or "none")
    if not devices:
        control.offender("Vault audit", "no audit device is enabled")
    tokens = control.population(vault.tokens())
    control.offenders((t for t in tokens if t.is_root), "a root token lives")
    assert not control.found
