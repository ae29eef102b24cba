"""SEC-24: an unaudited Vault, a root token that lives on, a sealed member, a storage cluster of two."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


AUDIT = "stdout"
SEALED = 503
STATEFUL = ("StatefulSet", "vault", "vault")


@violation()
def audit_off(plant: Plant) -> Iterator[Named]:
    """The only audit device is disabled."""
    with plant.vault.root() as door:
        kept = door.need("get", "sys/audit")["data"][f"{AUDIT}/"]
        door.need("delete", f"sys/audit/{AUDIT}")
    try:
        yield Named("Vault audit")
    finally:
        with plant.vault.root() as door:
            back = {key: kept[key] for key in ("type", "description", "options")}
            door.need("put", f"sys/audit/{AUDIT}", back)


@violation()
def root_token(plant: Plant) -> Iterator[Named]:
    """A root token, made from the escrowed shares and not revoked."""
    token = plant.vault.make_root()
    try:
        about = plant.vault.door(token).need("get", "auth/token/lookup-self")["data"]
        yield Named(f"VaultToken root {about['accessor'][:8]}")
    finally:
        plant.vault.revoke(token)


@violation()
def sealed(plant: Plant) -> Iterator[Named]:
    """A standby is sealed, as after a restart nobody noticed."""
    address = plant.vault.standby()
    member = f"vault-{plant.vault.addresses.index(address)}"
    try:
        plant.kube.delete("v1", "Pod", "vault", member)
        plant.await_true(lambda: plant.vault.code(address) == SEALED, f"{address} sealed", 120)
        yield Named(f"VaultMember {address}")
    finally:
        plant.await_true(lambda: plant.vault.unsealed(address), f"{address} unsealed", 120)
        plant.await_true(plant.vault.healthy, "a healthy storage cluster", 120)


@violation()
def two_members(plant: Plant) -> Iterator[Named]:
    """One of three members is gone: the next loss stops Vault."""
    address = plant.vault.addresses[-1]
    ref = Named("VaultPeer vault-2")
    try:
        with plant.patched(
            *STATEFUL,
            {"spec": {"replicas": 2}},
            api_version="apps/v1",
            ready=lambda found: found["status"].get("replicas") == 2,
        ):
            plant.await_true(lambda: not plant.vault.healthy(), "the loss seen by the leader", 60)
            yield ref
    finally:
        plant.await_true(lambda: plant.vault.unsealed(address), f"{address} unsealed", 180)
        plant.await_true(plant.vault.healthy, "a healthy storage cluster", 120)
