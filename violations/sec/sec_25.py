"""SEC-25: roles and policies of Vault that admit or give more than they must, in Git and live."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.violation import violation


FOLDER = "platform/vault/config"
ROLE = "auth/kubernetes/role/public-api"
POLICY = "sys/policies/acl/public-api"
NARROW = {
    "bound_service_account_names": "public-api",
    "bound_service_account_namespaces": "shop",
    "audience": "vault",
    "token_policies": "public-api",
    "token_ttl": 600,
    "token_max_ttl": 600,
}


@violation(tier="static")
def declared_any_account(plant: Plant) -> Iterator[Named]:
    """Git: a role for every service account of its namespace."""
    file = f"{FOLDER}/roles/public-api.json"
    with plant.edited("gitops", file, 'account_names": ["public-api"]', 'account_names": ["*"]'):
        yield Named("VaultRole public-api")


@violation(tier="static")
def declared_no_audience(plant: Plant) -> Iterator[Named]:
    """Git: a role that takes tokens meant for somebody else."""
    with plant.edited("gitops", f"{FOLDER}/roles/postgres.json", '"audience": "vault"', '"audience": ""'):
        yield Named("VaultRole postgres")


@violation(tier="static")
def declared_everything(plant: Plant) -> Iterator[Named]:
    """Git: a policy that gives everything, in JSON, where a search for HCL does not see it."""
    text = '{"path": {"*": {"capabilities": ["create", "read", "update", "delete", "list", "sudo"]}}}'
    with plant.added("gitops", f"{FOLDER}/policies/operator.json", text):
        yield Named("VaultPolicy operator")


@violation(tier="static")
def declared_glob(plant: Plant) -> Iterator[Named]:
    """Git: a policy whose path also names its neighbours."""
    file = f"{FOLDER}/policies/public-api.hcl"
    with plant.edited("gitops", file, "kv/data/shop/public-api", "kv/data/shop/*"):
        yield Named("VaultPolicy public-api")


@contextmanager
def _role(plant: Plant, change: Manifest) -> Iterator[Named]:
    with plant.vault.root() as door:
        before = door.need("get", ROLE)["data"]
    with plant.vault.written(ROLE, {**before, **change}):
        yield Named("VaultRole public-api")


@violation(tier="live")
def any_account(plant: Plant) -> Iterator[Named]:
    """Vault: a role for every service account of its namespace."""
    with _role(plant, {"bound_service_account_names": ["*"]}) as ref:
        yield ref


@violation(tier="live")
def any_namespace(plant: Plant) -> Iterator[Named]:
    """Vault: a role for that service account in every namespace that anybody makes."""
    with _role(plant, {"bound_service_account_namespaces": ["*"]}) as ref:
        yield ref


@violation(tier="live")
def long_life(plant: Plant) -> Iterator[Named]:
    """Vault: a login that lasts a month."""
    with _role(plant, {"token_ttl": 2592000, "token_max_ttl": 2592000}) as ref:
        yield ref


@violation(tier="live")
def everything(plant: Plant) -> Iterator[Named]:
    """Vault: the public API's policy gives everything."""
    text = 'path "*" {\n  capabilities = ["create", "read", "update", "delete", "list", "sudo"]\n}\n'
    with plant.vault.written(POLICY, {"policy": text}):
        yield Named("VaultPolicy public-api")


@violation(tier="live")
def undeclared_role(plant: Plant) -> Iterator[Named]:
    """Vault: a narrow role that nobody declared."""
    with plant.vault.written("auth/kubernetes/role/side-door", NARROW):
        yield Named("VaultRole side-door")
