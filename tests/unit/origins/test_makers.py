"""Secrets that objects of controllers ask for, in manifests and in a cluster. Offline."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from assay.config.platform import ControllerSecret
from assay.formats.yaml_text import documents
from assay.origins import external_secrets, kube_secrets
from assay.origins.levels import KeyProvenance, classify_secrets
from assay.origins.makers import declared_by_makers, made_secrets, secret_makers
from assay.origins.sources import SecretObject, Sources
from assay.origins.vault_operator import vault_static_secrets
from assay.probes.kube.wire import ApiAnswer
from assay.secretscan.fingerprint import Fingerprinter


KEYED = Fingerprinter()
VALUE = "kQ93-vLmZ0pWtXy7bb"
CERTIFICATE = {"metadata": {"namespace": "shop", "name": "web"}, "spec": {"secretName": "web-tls"}}
ISSUER = {"metadata": {"name": "public"}, "spec": {"acme": {"privateKeySecretRef": {"name": "account"}}}}


class Cluster:
    """Serves the groups of the lists that it was given, each in version v1."""

    def __init__(self, **lists: list[dict[str, Any]]) -> None:
        self.lists, self.wire = lists, self
        self.groups = {one.resource: one.group for one in secret_makers()}

    def ask(self, _method: str, path: str) -> ApiAnswer:
        group = path.removeprefix("/apis/")
        if group not in {self.groups[name] for name in self.lists}:
            return ApiAnswer(404)
        version = {"groupVersion": f"{group}/v1"}
        return ApiAnswer(200, {"preferredVersion": version, "versions": [version]})

    def need(self, answer: ApiAnswer, *_: str) -> ApiAnswer:
        return answer

    def get(self, path: str) -> dict[str, Any]:
        group = path.removeprefix("/apis/").partition("/")[0]
        return {"resources": [{"name": name} for name in self.lists if self.groups[name] == group]}

    def items(self, path: str) -> list[dict[str, Any]]:
        return self.lists[path.rpartition("/")[2]]


CLUSTER = {"metadata": {"namespace": "shop", "name": "db", "uid": "7"}, "spec": {}}


def cluster(**lists: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - what is asked of a cluster
    return Cluster(**lists)


def stored(name: str, writer: str, space: str = "shop") -> SecretObject:
    return SecretObject(
        space, name, "Opaque", (), {"key": frozenset({writer})}, {"key": KEYED.fingerprint(b"x")}
    )


OWNED = SecretObject(
    "shop", "db-app", "kubernetes.io/basic-auth", (("Cluster", "db", "7"),), {"key": frozenset({"manager"})},
    {"key": KEYED.fingerprint(b"x")},
)  # fmt: skip


def traced(one: SecretObject, **lists: list[dict[str, Any]]) -> KeyProvenance:
    sources = Sources((), (), {}, (), ("gitops",), made=made_secrets(cluster(**lists)))
    (found,) = classify_secrets([one], sources)
    return found


def test_the_list_is_whole() -> None:
    for maker in secret_makers():
        assert maker.kind
        assert maker.group
        assert maker.reason
        assert maker.secrets
        assert maker.source in {"vault", "controller"}


def test_what_a_controller_makes_for_an_object_is_classified() -> None:
    found = traced(stored("web-tls", "cert-manager-certificates-issuing"), certificates=[CERTIFICATE])
    assert (found.level, found.owner) == ("R0", "Certificate shop/web")
    assert found.proven


@pytest.mark.parametrize(("one", "level", "said"), [
    (stored("web-tls", "kubectl"), "R1", "Certificate shop/web asks for it, but kubectl wrote it"),
    (stored("web-tls", "cert-manager-certificates-issuing", space="other"), "-", "neither"),
    (stored("other-tls", "cert-manager-certificates-issuing"), "-", "neither"),
])  # fmt: skip
def test_what_it_did_not_write_is_not(one: SecretObject, level: str, said: str) -> None:
    found = traced(one, certificates=[CERTIFICATE])
    assert (found.level, said in found.missing, found.proven) == (level, True, False)


def test_an_object_of_the_cluster_asks_for_a_secret_in_any_namespace() -> None:
    found = traced(stored("account", "cert-manager-clusterissuers", space="ops"), clusterissuers=[ISSUER])
    assert (found.level, found.owner) == ("R0", "ClusterIssuer public")


def test_of_two_objects_that_ask_the_one_whose_controller_wrote_it_counts() -> None:
    certificate = {"metadata": {"namespace": "shop", "name": "db"}, "spec": {"secretName": "db-tls"}}
    database = {"metadata": {"namespace": "shop", "name": "db", "uid": "7"}, "spec": {}}
    found = traced(OWNED, certificates=[certificate], clusters=[database])
    assert (found.level, found.owner) == ("R0", "Cluster shop/db")


@pytest.mark.parametrize(("change", "said"), [
    ({}, ""), ({"owners": ()}, "does not own it"), ({"owners": (("Cluster", "db", "8"),)}, "does not own it"),
    ({"type": "kubernetes.io/dockerconfigjson"}, "its type is kubernetes.io/dockerconfigjson"),
    ({"writers": {"key": frozenset({"manager", "kubectl-edit"})}}, "kubectl-edit, manager wrote it"),
])  # fmt: skip
def test_a_controllers_secret_is_known_by_owner_type_and_writer(change: dict[str, Any], said: str) -> None:
    found = traced(replace(OWNED, **change), clusters=[CLUSTER])
    assert (found.proven, said in found.missing) == (not said, True)


@pytest.mark.parametrize(("name", "writer", "lists"), [
    ("zalando.shop-db.credentials.postgresql.acid.zalan.do", "postgres-operator", "postgresqls"),
    ("shop-db-pguser-shop", "postgrescluster-controller", "postgresclusters"),
    ("shop-db-es-elastic-user", "elastic-operator", "elasticsearches"),
    ("prometheus-shop-db-web-config", "PrometheusOperator", "prometheuses"),
    ("alertmanager-shop-db-generated", "PrometheusOperator", "alertmanagers"),
])  # fmt: skip
def test_further_operators_are_known_by_their_published_shape(name: str, writer: str, lists: str) -> None:
    item = {"metadata": {"namespace": "shop", "name": "shop-db", "uid": "7"}, "spec": {}}
    one = replace(stored(name, writer), owners=(("any", "shop-db", "7"),))
    assert traced(one, **{lists: [item]}).level == "R0"
    assert not traced(stored(name, "kubectl"), **{lists: [item]}).proven


@pytest.mark.parametrize(("text", "names"), [
    ("apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web}\nspec: {secretName: web-tls}\n",
     {"web-tls", "web-*"}),
    ("apiVersion: example.com/v1\nkind: Certificate\nmetadata: {name: web}\nspec: {secretName: web-tls}\n", set()),
    ("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: db}\n",
     {"db-app", "db-superuser", "db-ca", "db-server", "db-replication"}),
    ("apiVersion: talos.dev/v1alpha1\nkind: ServiceAccount\nmetadata: {name: snapshot}\n", {"snapshot"}),
    ("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: snapshot}\n", set()),
    ("apiVersion: secrets.hashicorp.com/v1beta1\nkind: VaultStaticSecret\nspec: {destination: {name: app}}\n", {"app"}),
    ("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  annotations:\n    cert-manager.io/issuer: a\n"
     "spec:\n  tls:\n  - secretName: one\n  - secretName: two\n", {"one", "two"}),
    ("apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec:\n  tls:\n  - secretName: one\n", set()),
    ("apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nspec:\n  provider: vault\n"
     "  secretObjects:\n  - secretName: app\n", {"app"}),
    ("apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nspec:\n  provider: azure\n"
     "  secretObjects:\n  - secretName: app\n", set()),
])  # fmt: skip
def test_manifests_say_which_secrets_will_be_made(text: str, names: set[str]) -> None:
    assert declared_by_makers(documents(text, "a.yaml")) == names


@pytest.mark.parametrize(("rule", "fits"), [
    (ControllerSecret("shop/*", "Opaque", "maker", "why"), True),
    (ControllerSecret("shop/*", "Opaque", "mak*", "why", key="k*"), True),
    (ControllerSecret("shop/*", "Opaque", "maker", "why", key="other"), False),
    (ControllerSecret("shop/*", "Opaque", "other", "why"), False),
])  # fmt: skip
def test_a_rule_may_name_the_keys(rule: ControllerSecret, fits: bool) -> None:
    (found,) = classify_secrets([stored("a", "maker")], Sources((), (), {}, (rule,), ()))
    assert (found.level == "R0") is fits


# the Vault Secrets Operator -------------------------------------------------------------------------

DATA = {"password": VALUE, "count": 3}


def static_secret(**spec: object) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "shop", "name": "app", "uid": "uid-1"},
        "spec": {"mount": "kv", "path": "shop/app", "type": "kv-v2", "destination": {"name": "app", "create": True},
                 "refreshAfter": "1m30s", **spec},
        "status": {"secretMAC": "x", "lastGeneration": 1},
    }  # fmt: skip


def by_operator(**data: str) -> dict[str, Any]:
    owner = {"kind": "VaultStaticSecret", "name": "app", "uid": "uid-1"}
    fields = {"f:data": {f"f:{key}": {} for key in data}}
    return {
        "metadata": {"namespace": "shop", "name": "app", "ownerReferences": [owner],
                     "managedFields": [{"manager": "vault-secrets-operator", "fieldsV1": fields}]},
        "type": "Opaque",
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }  # fmt: skip


def of_operator(item: dict[str, Any], about: dict[str, Any]) -> dict[str, KeyProvenance]:
    asked = cluster(vaultstaticsecrets=[about])
    asked.each = lambda _path, make: [make(item)]
    known = vault_static_secrets(asked)
    found = kube_secrets.secret_objects(asked, KEYED, external_secrets.templates(known))
    entries = {"kv/shop/app": {"password": KEYED.fingerprint(VALUE.encode()).hex(),
                               "count": KEYED.fingerprint(b"3").hex()}}  # fmt: skip
    return {one.key: one for one in classify_secrets(found, Sources(known, (), entries, (), ()))}


def test_a_value_that_the_vault_secrets_operator_wrote_is_compared() -> None:
    whole = json.dumps({"data": DATA, "metadata": {"version": 1}})
    found = of_operator(by_operator(password=VALUE, count="3", _raw=whole), static_secret())
    assert {key: one.level for key, one in found.items()} == {"password": "R4", "count": "R4", "_raw": "R4"}
    assert found["password"].source == "vault kv/shop/app by VaultStaticSecret app"


def test_neither_another_value_nor_another_whole_entry_is_the_sources() -> None:
    whole = json.dumps({"data": {**DATA, "password": f"{VALUE}2"}})
    found = of_operator(by_operator(password=f"{VALUE}2", _raw=whole), static_secret())
    assert {key: one.level for key, one in found.items()} == {"password": "R3", "_raw": "R3"}
    assert "what stands for password" in found["_raw"].missing


@pytest.mark.parametrize(("spec", "level"), [
    ({"type": "kv-v1"}, "R1"), ({"destination": {"name": "app", "create": True, "transformation": {"templates": {}}}}, "R4"),
])  # fmt: skip
def test_what_the_operator_is_told(spec: dict[str, object], level: str) -> None:
    assert of_operator(by_operator(password=VALUE), static_secret(**spec))["password"].level == level
    (known,) = vault_static_secrets(cluster(vaultstaticsecrets=[static_secret()]))
    assert known.interval == 90.0
