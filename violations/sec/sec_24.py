"""SEC-24: a Vault without audit, or with one that keeps nothing; a root token; a member sealed, or lost."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.targets import Target
from assay.proof.violation import violation


SEALED = 503


@contextmanager
def _without_audit(plant: Plant) -> Iterator[None]:
    with plant.vault.root() as vault:
        kept = vault.need("get", "sys/audit")["data"]
        for path in kept:
            vault.need("delete", f"sys/audit/{path}")
    try:
        yield
    finally:
        with plant.vault.root() as vault:
            for path, device in kept.items():
                back = {key: device[key] for key in ("type", "description", "options")}
                vault.need("put", f"sys/audit/{path}", back)


@violation()
def audit_off(plant: Plant) -> Iterator[Named]:
    """Every audit device is disabled."""
    with _without_audit(plant):
        yield Named("Vault audit")


@violation()
def audit_to_nowhere(plant: Plant) -> Iterator[Named]:
    """The only audit device throws away what it is given."""
    with _without_audit(plant):
        try:
            with plant.vault.root() as vault:
                vault.need("put", "sys/audit/planted", {"type": "file", "options": {"file_path": "discard"}})
            yield Named("VaultAudit planted/")
        finally:
            with plant.vault.root() as vault:
                vault.need("delete", "sys/audit/planted")


@violation()
def root_token(plant: Plant) -> Iterator[Named]:
    """A root token generated from the escrowed shares and not revoked."""
    token = plant.vault.make_root()
    try:
        about = plant.vault.connection(token).need("get", "auth/token/lookup-self")["data"]
        yield Named(f"VaultToken root {about['accessor'][:8]}")
    finally:
        plant.vault.revoke(token)


def _members(plant: Plant) -> Target:
    """Return the StatefulSet that Vault's members are of."""
    return plant.targets.stateful_set(plant.targets.backed_up("vault-snapshot").name)


@violation()
def sealed(plant: Plant) -> Iterator[Named]:
    """A standby that is sealed, as after a restart that went unnoticed."""
    address, vault = plant.vault.standby(), _members(plant)
    member = f"{vault.name}-{plant.vault.addresses.index(address)}"
    try:
        plant.kube.delete("v1", "Pod", vault.namespace, member)
        plant.await_true(lambda: plant.vault.code(address) == SEALED, f"{address} sealed", 120)
        yield Named(f"VaultMember {address}")
    finally:
        plant.await_true(lambda: plant.vault.unsealed(address), f"{address} unsealed", 120)
        plant.await_true(plant.vault.healthy, "a healthy storage cluster", 120)


@violation()
def two_members(plant: Plant) -> Iterator[Named]:
    """One of three members is gone: the next loss stops Vault."""
    address, vault = plant.vault.addresses[-1], _members(plant)
    left = len(plant.vault.addresses) - 1
    ref = Named(f"VaultPeer {vault.name}-{left}")
    try:
        with plant.patched(
            *vault.key[1:],
            {"spec": {"replicas": left}},
            api_version=vault.api_version,
            ready=lambda found: found["status"].get("replicas") == left,
        ):
            plant.await_true(lambda: not plant.vault.healthy(), "the loss seen by the leader", 60)
            yield ref
    finally:
        plant.await_true(lambda: plant.vault.unsealed(address), f"{address} unsealed", 180)
        plant.await_true(plant.vault.healthy, "a healthy storage cluster", 120)
