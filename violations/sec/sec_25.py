"""SEC-25: roles and policies of Vault that admit or give more than they must, in Git and live."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import GuardError
from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.violation import violation


EVERYTHING = ["create", "read", "update", "delete", "list", "sudo"]


def folder(plant: Plant) -> Path:
    """Return the folder of Vault's declared configuration, relative to the manifests.

    Raises:
        GuardError: the profile does not say, or it lies elsewhere.
    """
    config, gitops = plant.profile.platform.vault.config, plant.profile.paths.gitops
    if config is None or not gitops or not config.is_relative_to(gitops[0]):
        raise GuardError("Vault's configuration is not among the manifests", "set config in [platform.vault]")
    return config.relative_to(gitops[0])


def declared(plant: Plant) -> tuple[str, Manifest]:
    """Return the name of the first declared role and what the file says."""
    known = plant.profile.platform.vault.config or Path()
    file = min((known / "roles").glob("*.json"))
    return file.stem, json.loads(file.read_text(encoding="utf-8"))


def mount(plant: Plant) -> str:
    """Return the path of the auth method that the declared roles are of."""
    return plant.profile.platform.vault.auth_mount


@contextmanager
def edited_role(plant: Plant, change: Manifest) -> Iterator[Named]:
    """Change keys of the first declared role in a copy of the manifests."""
    name, role = declared(plant)
    with plant.copied("gitops") as tree:
        file = tree / folder(plant) / "roles" / f"{name}.json"
        file.write_text(json.dumps({**role, **change}), encoding="utf-8")
        yield Named(f"VaultRole {mount(plant)}/{name}")


@violation(tier="static")
def declared_foreign_path(plant: Plant) -> Iterator[Named]:
    """Git: a policy of a role that reads one more path, which is another role's."""
    name, role = declared(plant)
    known = plant.profile.platform.vault.config or Path()
    other = json.loads(max((known / "roles").glob("*.json")).read_text(encoding="utf-8"))
    text = (known / "policies" / f"{other['token_policies'][0]}.hcl").read_text(encoding="utf-8")
    with plant.copied("gitops") as tree:
        file = tree / folder(plant) / "policies" / f"{role['token_policies'][0]}.hcl"
        file.write_text(f"{file.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")
        yield Named(f"VaultRole {mount(plant)}/{name}")


@violation(tier="static")
def declared_by_an_operator(plant: Plant) -> Iterator[Named]:
    """Git: a role for every namespace, as an object of an operator that configures Vault."""
    spec = {"path": "planted", "policies": ["none"], "targetServiceAccounts": ["api"], "tokenTTL": 600}
    body = {
        "apiVersion": "redhatcop.redhat.io/v1alpha1",
        "kind": "KubernetesAuthEngineRole",
        "metadata": {"name": "wide"},
        "spec": {**spec, "targetNamespaces": {"targetNamespaces": ["*"]}},
    }
    with plant.added("gitops", "planted-role.json", json.dumps(body)):
        yield Named("VaultRole planted/wide")


@violation(tier="static")
def declared_any_account(plant: Plant) -> Iterator[Named]:
    """Git: a role for every service account of its namespace."""
    with edited_role(plant, {"bound_service_account_names": ["*"]}) as ref:
        yield ref


@violation(tier="static")
def declared_no_audience(plant: Plant) -> Iterator[Named]:
    """Git: a role that accepts tokens made for another audience."""
    with edited_role(plant, {"audience": ""}) as ref:
        yield ref


@violation(tier="static")
def declared_everything(plant: Plant) -> Iterator[Named]:
    """Git: a policy that grants everything, in JSON, where a search for HCL does not find it."""
    text = json.dumps({"path": {"*": {"capabilities": EVERYTHING}}})
    with plant.added("gitops", f"{folder(plant)}/policies/planted.json", text):
        yield Named("VaultPolicy planted")


@violation(tier="static")
def declared_glob(plant: Plant) -> Iterator[Named]:
    """Git: a policy whose path also covers its neighbours."""
    policy = declared(plant)[1]["token_policies"][0]
    with plant.substituted("gitops", r'^path "(.+/)[^/"]+"', r'path "\1*"', f"{policy}.hcl"):
        yield Named(f"VaultPolicy {policy}")


def live_path(plant: Plant) -> str:
    """Return where the running Vault has the first declared role."""
    return f"auth/{mount(plant)}/role/{declared(plant)[0]}"


@contextmanager
def written_role(plant: Plant, change: Manifest) -> Iterator[Named]:
    """Change keys of that role in the running Vault."""
    path = live_path(plant)
    with plant.vault.root() as vault:
        before = vault.need("get", path)["data"]
    with plant.vault.written(path, {**before, **change}):
        yield Named(f"VaultRole {mount(plant)}/{declared(plant)[0]}")


@violation(tier="live")
def any_account(plant: Plant) -> Iterator[Named]:
    """Vault: a role for every service account of its namespace."""
    with written_role(plant, {"bound_service_account_names": ["*"]}) as ref:
        yield ref


@violation(tier="live")
def any_namespace(plant: Plant) -> Iterator[Named]:
    """Vault: a role for its service account's name in every namespace."""
    with written_role(plant, {"bound_service_account_namespaces": ["*"]}) as ref:
        yield ref


@violation(tier="live")
def long_life(plant: Plant) -> Iterator[Named]:
    """Vault: a login that lasts a month."""
    with written_role(plant, {"token_ttl": 2592000, "token_max_ttl": 2592000}) as ref:
        yield ref


@violation(tier="live")
def everything(plant: Plant) -> Iterator[Named]:
    """Vault: the policy of a workload grants everything."""
    name = declared(plant)[1]["token_policies"][0]
    text = f'path "*" {{\n  capabilities = {json.dumps(EVERYTHING)}\n}}\n'
    with plant.vault.written(f"sys/policies/acl/{name}", {"policy": text}):
        yield Named(f"VaultPolicy {name}")


@violation(tier="live")
def undeclared_role(plant: Plant) -> Iterator[Named]:
    """Vault: a narrow role that is not declared in Git."""
    path = f"{live_path(plant).rpartition('/')[0]}/planted"
    with plant.vault.written(path, declared(plant)[1]):
        yield Named(f"VaultRole {mount(plant)}/planted")


@violation(tier="live")
def second_method(plant: Plant) -> Iterator[Named]:
    """Vault: a second auth method of the same kind, with a role for every account that nobody declared."""
    anybody = {"bound_service_account_names": "*", "bound_service_account_namespaces": "*"}
    try:
        with plant.vault.root() as vault:
            vault.need("put", "sys/auth/planted", {"type": "kubernetes"})
            vault.need("put", "auth/planted/config", {"kubernetes_host": "https://kubernetes.default.svc"})
            vault.need("put", "auth/planted/role/any", {**anybody, "token_policies": "default"})
        yield Named("VaultAuth planted")
    finally:
        with plant.vault.root() as vault:
            vault.need("delete", "sys/auth/planted")
