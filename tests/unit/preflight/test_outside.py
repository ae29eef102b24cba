"""`assay init`: where Vault, PostgreSQL and the public API are reached from outside the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assay.preflight import outside
from assay.preflight.profile_text import Findings


def node(name: str, address: str, *, control: bool = False) -> dict[str, Any]:
    labels = {outside.CONTROL: ""} if control else {}
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


def pod(name: str, space: str, host: str, owner: str = "StatefulSet", **labels: str) -> dict[str, Any]:
    named = {key.replace("_", "-"): value for key, value in labels.items()}
    return {
        "metadata": {"name": name, "namespace": space, "labels": named, "ownerReferences": [{"kind": owner}]},
        "spec": {"nodeName": host, "containers": [{"image": "images.example:5000/a@sha256:1"}]},
        "status": {"podIP": "10.0.0.9"},
    }


def service(name: str, space: str, port: int, outer: int, **selector: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "type": "NodePort" if outer else "ClusterIP",
        "ports": [{"port": port, "nodePort": outer}],
    }
    if selector:
        spec["selector"] = {key.replace("_", "-"): value for key, value in selector.items()}
    return {"metadata": {"name": name, "namespace": space}, "spec": spec}


NODES = [node("a-head", "192.0.2.1", control=True), node("b", "192.0.2.2"), node("c", "192.0.2.3")]
MEMBERS = [
    pod("safe-0", "keyring", "b", vault_initialized="true", pod_name="safe-0"),
    pod("safe-1", "keyring", "c", vault_initialized="true", pod_name="safe-1"),
]
SINGLE = [
    service("one", "keyring", 8200, 30821, pod_name="safe-0"),
    service("two", "keyring", 8200, 30822, pod_name="safe-1"),
    service("any", "keyring", 8200, 30820, vault_initialized="true"),
]
POOLER = pod("pooler", "data", "c", "ReplicaSet", app="pooler")
DATABASE = [
    service("db", "data", 5432, 30542),
    service("pool", "data", 5432, 30543, app="pooler"),
    service("front", "edge", 443, 30443, app="door"),
    service("hook", "gate", 443, 0, app="hook"),
]


class Cluster:
    """A cluster of given objects, by kind."""

    wire = None

    def __init__(self, **kinds: list[dict[str, Any]]) -> None:
        self.kinds = {"Node": NODES, **kinds}

    def objects(self, kind: str, version: str) -> list[Mapping[str, Any]]:
        """Return the objects of one kind."""
        assert version
        return list(self.kinds.get(kind, []))


@pytest.fixture(autouse=True)
def _no_extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "served", lambda _wire, _group: {})


def asked(question: Any, **kinds: list[dict[str, Any]]) -> Findings:  # noqa: ANN401
    found = Findings()
    question(Cluster(**kinds), found)
    return found


def test_members_of_vault_by_services_that_lead_to_one_each() -> None:
    found = asked(outside.vault_members, Pod=MEMBERS, Service=SINGLE).keys
    assert found["vault.addresses"].value == ["https://192.0.2.2:30821", "https://192.0.2.3:30822"]
    assert found["vault.entry"].value == "https://192.0.2.2:30820"


def test_members_of_vault_inside_the_cluster_are_a_proposal() -> None:
    found = asked(outside.vault_members, Pod=MEMBERS, Service=SINGLE[2:]).keys
    assert found["vault.addresses"].proposed
    assert found["vault.addresses"].value == ["https://10.0.0.9:8200", "https://10.0.0.9:8200"]


def test_the_database_is_where_no_pooler_answers() -> None:
    found = asked(outside.database, Pod=[POOLER], Service=DATABASE).keys
    assert (found["sql.host"].value, found["sql.port"].value) == ("192.0.2.2", "30542")
    assert found["sql.host"].proposed


def test_two_databases_are_no_answer() -> None:
    two = [*DATABASE, service("db", "more", 5432, 30999)]
    assert asked(outside.database, Pod=[POOLER], Service=two).keys == {}


def test_the_public_api_is_the_one_https_port_or_the_one_host() -> None:
    assert asked(outside.public_api, Service=DATABASE).keys["api.url"].value == "https://192.0.2.2:30443"
    rule = {"spec": {"rules": [{"host": "www.example.com"}]}}
    assert (
        asked(outside.public_api, Service=DATABASE, Ingress=[rule]).keys["api.url"].value
        == "https://www.example.com"
    )
    other = {"spec": {"rules": [{"host": "two.example.com"}]}}
    assert asked(outside.public_api, Service=DATABASE, Ingress=[rule, other]).keys == {}


def test_a_load_balancer_is_asked_by_its_own_address() -> None:
    made = service("front", "edge", 443, 30443, app="door")
    made["spec"]["type"], made["status"] = (
        "LoadBalancer",
        {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}},
    )
    assert asked(outside.public_api, Service=[made]).keys["api.url"].value == "https://203.0.113.5:443"


def test_registries_of_pods_and_manifests(tmp_path: Path) -> None:
    text = 'spec:\n  containers:\n    - image: "hub.example/shop/api@sha256:1"\n    - image: busybox\n'
    (tmp_path / "app.yaml").write_text(text)
    found = Findings()
    found.put("paths.repositories", str(tmp_path), "git")
    outside.registries(Cluster(Pod=MEMBERS), found)  # type: ignore[arg-type]
    assert found.keys["allowlist.registries"].value == ["hub.example", "images.example:5000"]
    assert found.keys["registry.address"].value == "images.example:5000"


def test_mounts_of_vault_where_all_stores_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    store = {"path": "apps", "auth": {"kubernetes": {"mountPath": "nw"}}}
    items = [{"spec": {"provider": {"vault": store}}}, {"spec": {"provider": {"fake": {}}}}]

    class Wire:
        def items(self, path: str) -> list[dict[str, Any]]:
            """Return the stores at a path."""
            return items if path == "/stores" else []

    monkeypatch.setattr(outside, "served", lambda _wire, _group: {"secretstores": "/stores"})
    cluster = Cluster()
    cluster.wire = Wire()  # type: ignore[assignment]
    found = Findings()
    outside.vault_stores(cluster, found)  # type: ignore[arg-type]
    assert (found.keys["vault.mount"].value, found.keys["platform.vault.auth_mount"].value) == ("apps", "nw")
    items.append({"spec": {"provider": {"vault": {**store, "path": "other"}}}})
    found = Findings()
    outside.vault_stores(cluster, found)  # type: ignore[arg-type]
    assert "vault.mount" not in found.keys
