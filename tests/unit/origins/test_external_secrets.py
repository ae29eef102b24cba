"""ExternalSecrets as platforms write them: what each form says, what is not judged, what is due. Offline."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.platform import ControllerSecret, SecretElsewhere
from assay.formats.yaml_text import documents
from assay.origins import external_secrets, kube_secrets
from assay.origins.levels import KeyProvenance, classify_secrets
from assay.origins.secret_uses import declared_secrets
from assay.origins.sources import ExternalSecretSpec, Sources
from assay.origins.template import filled
from assay.probes.kube.wire import Wire
from assay.secretscan.fingerprint import Fingerprinter


KEYED = Fingerprinter()
VALUE = "kQ93-vLmZ0pWtXy7bb"
NOW = time.time()
OTHER, BEFORE = "other", "before-2024-abcdefg"
ENTRY = {"username": "shop", "password": VALUE, "pin": "4711-abcd-0815-efgh"}
Object = Mapping[str, Any]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time stands still: how long the tests before took is nothing to these."""
    monkeypatch.setattr(time, "time", lambda: NOW)


def listed(items: list[dict[str, Any]]) -> Object:
    return {"kind": "List", "metadata": {}, "items": items}


class Cluster:
    """An API server with one group; answers lists and what it serves."""

    def __init__(self, version: str = "v1", **lists: list[dict[str, Any]]) -> None:
        root = f"/apis/external-secrets.io/{version}"
        ref = {"groupVersion": root.removeprefix("/apis/")}
        self.wire = Wire("https://api", self._send)
        self._said: dict[str, object] = {
            "/apis/external-secrets.io": {"preferredVersion": ref, "versions": [ref]},
            root: {
                "resources": [{"name": name} for name in (*lists, "pushsecrets", "clusterexternalsecrets")]
            },
            "/api/v1/secrets": listed(lists.pop("secrets", [])),
            **{f"{root}/{name}": listed(items) for name, items in lists.items()},
        }

    def _send(self, _: str, path: str, *__: object) -> tuple[int, bytes]:
        said = self._said.get(path.partition("?")[0])
        return (404, b"{}") if said is None else (200, json.dumps(said).encode())


def store(kind: str = "SecretStore", provider: Object | None = None, name: str = "vault") -> dict[str, Any]:
    space = {} if kind == "ClusterSecretStore" else {"namespace": "shop"}
    return {"metadata": {"name": name, **space}, "spec": {"provider": provider or {"vault": {"path": "kv"}}}}


def external(spec: Object, target: Object | None = None, name: str = "app", age: float = 5) -> dict[str, Any]:
    then = dt.datetime.fromtimestamp(NOW - age, dt.UTC).isoformat()
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": "uid-1"},
        "spec": {
            "refreshInterval": "1m", "secretStoreRef": {"name": "vault"},
            "target": {"name": "app", **(target or {})}, **spec,
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "refreshTime": then},
    }  # fmt: skip


def secret(name: str = "app", owned: bool = True, manager: str = "", **data: str) -> dict[str, Any]:
    manager = manager or f"externalsecrets.external-secrets.io/{name}"
    owners = [{"kind": "ExternalSecret", "name": name, "uid": "uid-1"}] if owned else []
    fields = {"f:data": {f"f:{key}": {} for key in data}}
    return {
        "metadata": {
            "namespace": "shop", "name": "app", "ownerReferences": owners,
            "managedFields": [{"manager": manager, "fieldsV1": fields}],
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }  # fmt: skip


def traced(item: Object, *about: Object, written: float = 0.0, **lists: Any) -> list[KeyProvenance]:  # noqa: ANN401 - lists
    lists = {"secretstores": [store()], **lists}
    cluster: Any = Cluster(secrets=[item], externalsecrets=list(about), **lists)
    known = external_secrets.external_secret_specs(cluster, "kv")
    found = kube_secrets.secret_objects(cluster, KEYED, external_secrets.templates(known))
    entries = {"kv/shop/app": {key: KEYED.fingerprint(text.encode()).hex() for key, text in ENTRY.items()}}
    rules = [ControllerSecret("shop/app", "Opaque", "argocd-server", "its own")]
    return classify_secrets(
        found, Sources(known, (), entries, rules, ("gitops",), {"kv/shop/app": written}, now=NOW)
    )


def one(path: str = "shop/app", key: str = "password", **more: object) -> dict[str, Any]:
    return {"data": [{"secretKey": "password", "remoteRef": {"key": path, "property": key, **more}}]}


WHOLE = {"dataFrom": [{"extract": {"key": "shop/app"}}]}


@pytest.mark.parametrize(("spec", "lists"), [
    ({**WHOLE, "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"}},
     {"secretstores": [store(provider={"fake": {}})], "clustersecretstores": [store("ClusterSecretStore")]}),
    ({"dataFrom": [{**WHOLE["dataFrom"][0], "sourceRef": {"storeRef": {"name": "other"}}}]},
     {"secretstores": [store(name="other")]}),
    (one("kv/shop/app"), {}),
    (one("kv/data/shop/app"), {"secretstores": [store(provider={"vault": {}})]}),
    (WHOLE, {}),
])  # fmt: skip
def test_a_form_that_is_read_like_any_other(spec: Object, lists: Object) -> None:
    (step,) = traced(secret(password=VALUE), external(spec), **lists)
    assert (step.level, step.missing) == ("R4", "")


@pytest.mark.parametrize(("spec", "why"), [
    ({**WHOLE, "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"}}, "vault, is not there"),
    ({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Fake", "name": "x"}}}]}, "a generator makes"),
    ({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Webhook", "name": "x"}}}]}, "a generator makes"),
])  # fmt: skip
def test_a_form_that_is_not_judged_is_declared_only(spec: Object, why: str) -> None:
    (step,) = traced(secret(password=VALUE), external(spec))
    assert (step.level, why in step.missing) == ("R1", True), step


@pytest.mark.parametrize(("spec", "why"), [
    ({"data": [{"secretKey": "password", "remoteRef": {"key": "shop/app"}}]}, "remoteRef without property"),
    (one(version="3"), "version"),
    (one(decodingStrategy="Base64"), "decodingStrategy"),
])  # fmt: skip
def test_one_key_that_cannot_be_compared_says_so(spec: Object, why: str) -> None:
    (step,) = traced(secret(password=VALUE), external(spec))
    assert (step.level, why in step.missing) == ("R3, computed", True), step


def test_a_key_of_a_generator_that_may_hold_anything_is_not_proven() -> None:
    spec = {"data": [{"secretKey": "password", "sourceRef": {"generatorRef": {"name": "x"}}}]}
    (step,) = traced(secret(password=VALUE), external(spec))
    assert (step.level, step.proven, "generator" in step.missing) == ("R3", False, True)


def test_a_path_begins_with_the_mount_of_its_store() -> None:
    other = [store(provider={"vault": {"path": "team"}})]
    (step,) = traced(secret(password=VALUE), external(WHOLE), secretstores=other)
    assert (step.level, step.missing) == ("-", "ExternalSecret app does not know this key")
    cluster: Any = Cluster(externalsecrets=[external(one())], secretstores=other)
    (found,) = external_secrets.external_secret_specs(cluster, "kv")
    assert found.paths == {"team/shop/app"}


@pytest.mark.parametrize("policy", ["Orphan", "Merge"])
def test_a_secret_that_is_not_owned_says_what_is_missing(policy: str) -> None:
    (step,) = traced(secret(owned=False, password=VALUE), external(WHOLE, {"creationPolicy": policy}))
    assert (step.level, step.proven) == ("R4", True)
    assert step.missing == f"it is not owned: creationPolicy is {policy}, not Owner"
    (step,) = traced(secret(owned=False, password=OTHER), external(WHOLE, {"creationPolicy": policy}))
    assert (step.level, step.proven) == ("R3", False)


def test_what_is_merged_into_a_controllers_secret_leaves_its_own_keys_to_it() -> None:
    mixed = secret(owned=False, password=VALUE, signature="xx", foreign="yy")
    mine = {"manager": "externalsecrets.external-secrets.io/app", "fieldsV1": {"f:data": {"f:password": {}}}}
    theirs = {"manager": "argocd-server", "fieldsV1": {"f:data": {"f:signature": {}}}}
    hand = {"manager": "kubectl", "fieldsV1": {"f:data": {"f:foreign": {}}}}
    mixed["metadata"]["managedFields"] = [mine, theirs, hand]
    steps = traced(mixed, external(one(), {"creationPolicy": "Merge"}))
    assert [step.level for step in steps] == ["R4", "R0", "-"]


def test_a_policy_of_none_writes_nothing() -> None:
    (step,) = traced(secret(password=VALUE), external(WHOLE, {"creationPolicy": "None"}))
    assert (step.level, "writes nothing" in step.missing) == ("R1", True)


LONG = "application-of-the-shop-in-europe"


def test_the_operators_long_names_are_digests() -> None:
    known = ExternalSecretSpec("shop", LONG, "", "app", "vault", "")
    assert known.manager.startswith("externalsecrets.external-secrets.io/sha3/9efa85e65f0e3adec861126a")
    (step,) = traced(secret(LONG, manager=known.manager, password=VALUE), external(WHOLE, name=LONG))
    assert step.level == "R4"


def test_an_older_version_of_the_operator_is_read() -> None:
    cluster: Any = Cluster("v1beta1", externalsecrets=[external(WHOLE)], secretstores=[store()])
    assert [found.name for found in external_secrets.external_secret_specs(cluster, "kv")] == ["app"]


def test_an_operator_without_cluster_stores_has_none() -> None:
    cluster: Any = Cluster(externalsecrets=[external(WHOLE)])
    (found,) = external_secrets.external_secret_specs(cluster, "kv")
    assert found.fault == "its store, SecretStore vault, is not there"


@pytest.mark.parametrize(("text", "secret"), [
    ("kind: ExternalSecret\nmetadata: {name: app}\nspec: {target: {name: db}}\n", "db"),
    ("kind: ExternalSecret\nmetadata: {name: app}\n", "app"),
    ("kind: ClusterExternalSecret\nspec:\n  externalSecretSpec:\n    target: {name: db}\n", "db"),
    ("kind: ClusterExternalSecret\nmetadata: {name: app}\nspec: {externalSecretName: each}\n", "each"),
])  # fmt: skip
def test_what_an_external_secret_makes_is_declared(text: str, secret: str) -> None:
    manifests: Any = SimpleNamespace(files={"a.yaml": documents(text, "a.yaml")})
    sops: Any = SimpleNamespace(files=[])
    assert declared_secrets(manifests, sops, [SecretElsewhere("other", "reason")]) == {secret, "other"}


# templates ------------------------------------------------------------------------------------------


def rendered(text: str, value: str, key: str = "conf") -> KeyProvenance:
    refs = {name: {"key": "shop/app", "property": name} for name in ENTRY}
    data = {"data": [{"secretKey": name, "remoteRef": ref} for name, ref in refs.items()]}
    (step,) = traced(secret(**{key: value}), external(data, {"template": {"data": {key: text}}}))
    return step


@pytest.mark.parametrize(("text", "value"), [
    ("{{ .password | toString }}", VALUE),
    ("a: {{ .password | quote }}\nb: {{- .username }}", f'a: "{VALUE}"\nb:shop'),
    ("{{ .password | toString | b64enc }}", base64.b64encode(VALUE.encode()).decode()),
    ("{{- .username -}} : {{ .password }}", f"shop: {VALUE}"),
    ("tls=TLSv1.2 auth=SCRAM-SHA-256 pw={{ .password }}", f"tls=TLSv1.2 auth=SCRAM-SHA-256 pw={VALUE}"),
    ("db1.prod.eu-central-1.example.com {{ .password }}", f"db1.prod.eu-central-1.example.com {VALUE}"),
    ("region=eu-central-1 host=10.96.0.10 {{ .password }}", f"region=eu-central-1 host=10.96.0.10 {VALUE}"),
])  # fmt: skip
def test_an_ordinary_template_is_followed(text: str, value: str) -> None:
    step = rendered(text, value)
    assert (step.level, step.missing) == ("R4", "")


@pytest.mark.parametrize(("text", "value", "why"), [
    ('{{ printf "%s kq93vlmz0pwt" .password }}', f"{VALUE} kq93vlmz0pwt", "a text of its own"),
    ("{{ `kq93vlmz0pwt` | b64enc }}", "a3E5M3ZsbXowcHd0", "a text of its own"),
    ("{{ .password | b64enc }}", VALUE, "does not fit"),
    ("{{ .password | quote }}", VALUE, "does not fit"),
    ("kq93vlmz0pwt {{ .password }}", f"kq93vlmz0pwt {VALUE}", "a text of its own"),
    ("plain", "plain", "a text of its own"),
])  # fmt: skip
def test_a_template_that_is_more_is_not_equal(text: str, value: str, why: str) -> None:
    step = rendered(text, value)
    assert (step.level, why in step.missing) == ("R3", True), step


def test_a_template_may_state_a_fact() -> None:
    assert rendered("git", "git", key="type").level == "R4"
    assert rendered("git", "hub", key="type").level == "R3"
    assert rendered("kQ93-vLmZ0pWtXy7bb", VALUE, key="type").level == "R3"


def test_a_template_that_merges_leaves_the_other_keys() -> None:
    data = {"data": [{"secretKey": "password", "remoteRef": {"key": "shop/app", "property": "password"}}]}
    item = secret(conf=f"pw={VALUE}", password=VALUE)
    for policy, level in (("Merge", "R4"), ("Replace", "-")):
        template = {"mergePolicy": policy, "data": {"conf": "pw={{ .password }}"}}
        steps = traced(item, external(data, {"template": template}))
        assert [step.level for step in steps] == ["R4", level], policy


@pytest.mark.parametrize(("spec", "target"), [
    ({"dataFrom": [{"find": {"name": {"regexp": ".*"}}}]}, {}),
    ({"dataFrom": [{**WHOLE["dataFrom"][0], "rewrite": [{}]}]}, {}),
    ({"dataFrom": [{"extract": {"key": "shop/app", "property": "a"}}]}, {}),
    ({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Password", "name": "x"}}}]}, {}),
    ({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "VaultDynamicSecret", "name": "x"}}}]}, {}),
    (one(), {"template": {"templateFrom": [{"configMap": {}}]}}),
    (one(), {"template": {"data": {"conf": "{{ .password | upper }}"}}}),
    (one(), {"template": {"data": {"conf": '{{ .password | b64enc | trunc 8 | printf "%s" }}'}}}),
    (one(), {"template": {"data": {"conf": "{{ .password }}{{ .password }}"}}}),
    (one(version="3"), {}),
    ({"data": [{"secretKey": "conf", "remoteRef": {"key": "shop/app"}}]}, {}),
])  # fmt: skip
def test_what_only_the_source_and_the_operator_decide_is_proven_by_who_wrote_it(
    spec: Object, target: Object
) -> None:
    key = "password" if spec == one(version="3") else "conf"
    about = external(spec, target)
    (step,) = traced(secret(**{key: "anything"}), about)
    assert (step.level, step.proven) == ("R3, computed", True), step
    by_hand = secret(**{key: "anything"})
    by_hand["metadata"]["managedFields"].append(
        {"manager": "kubectl", "fieldsV1": {"f:data": {f"f:{key}": {}}}}
    )
    assert not traced(by_hand, about)[0].proven
    orphan = secret(**{key: "anything"})
    orphan["metadata"]["ownerReferences"] = []
    assert not traced(orphan, about)[0].proven


def test_a_template_over_an_entry_that_is_taken_whole_is_compared() -> None:
    template = {"template": {"data": {"conf": "pw={{ .password }}"}}}
    assert traced(secret(conf=f"pw={VALUE}"), external(WHOLE, template))[0].level == "R4"
    assert traced(secret(conf="pw=another"), external(WHOLE, template))[0].level == "R3"


def test_many_places_are_tried_once_each() -> None:
    template = "".join(f"a{{{{ .p{n} }}}}\n" for n in range(8)) + "end"
    begun = time.perf_counter()
    assert filled(template, b"a\n" * 40_000) is None
    assert time.perf_counter() - begun < 1


@given(st.lists(st.text("ab-\n", max_size=5), min_size=1, max_size=4), st.text("|:", min_size=1, max_size=2))
def test_what_was_put_in_is_found_again(texts: list[str], between: str) -> None:
    template = between.join(f"{{{{ .v{n} }}}}" for n in range(len(texts)))
    assert filled(template, between.join(texts).encode()) == {f"v{n}": text for n, text in enumerate(texts)}


# what is due ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seen", "written", "level"), [
    (50, 20, "R3, pending"),  # newer than the last look, and the next is not late
    (50, 100, "R3"),  # looked at since, and still another value
    (230, 185, "R3"),  # it ought to have been looked at by now
])  # fmt: skip
def test_a_value_that_is_newer_than_the_last_look_is_pending(seen: float, written: float, level: str) -> None:
    for about in (
        external(WHOLE, age=seen),
        external(one(), {"template": {"data": {"password": "{{ .password }}"}}}, age=seen),
    ):
        (step,) = traced(secret(password=BEFORE), about, written=NOW - written)
        assert (step.level, step.proven) == (level, level != "R3"), step
        assert ("pending until the next look" in step.missing) == step.proven


def test_what_others_wrote_is_not_pending() -> None:
    (step,) = traced(secret(manager="kubectl", password="x"), external(WHOLE, age=50), written=NOW - 20)
    assert (step.level, step.proven) == ("R2", False)


# what is private, and what everybody may know -------------------------------------------------------


@pytest.mark.parametrize(("key", "text"), [
    ("region", "eu-central-1"), ("namespace", "prod-eu1-monitoring"), ("cluster", "argocd-eu1-cluster"),
    ("backend", "s3.eu-central-1.amazonaws.com"), ("line", "jdbc:postgresql://db1.prod.example.com:5432/app"),
    ("vault", "https://vault-1.vault.svc:8200/v1/kv"), ("ip", "10.96.0.10:5432"),
    ("to", "backup2@example.com"),
    ("brokers", "kafka-1.kafka.svc:9092,kafka-2.kafka.svc:9092"), ("username", "Xk9mQ2vLr8TzWp"),
    ("id", "0b87ff3c-3dd1-4a5c-9a3a-2f6a1b1c2d3e"),
])  # fmt: skip
def test_what_everybody_may_know_is_not_looked_for(key: str, text: str) -> None:
    cluster: Any = Cluster(secrets=[secret(**{key: text})])
    assert not kube_secrets.secret_objects(cluster, KEYED, {})[0].distinctive


@pytest.mark.parametrize(("key", "text"), [
    ("password", VALUE), ("line", "postgres://shop:" + VALUE + "@db1.prod.example.com/app"),
    ("line", "jdbc:postgresql://db1/app?user=a&password=b7"), ("word", "kq93vlmz0pwt"),
    ("hook", "https://chat.example.com/services/T01ABCDEFG/8FhG2kLmQ9xYz3"),
    ("digest", "5f4dcc3b5aa765d61d8327deb882cf99"),
    ("secret_id", "0b87ff3c-3dd1-4a5c-9a3a-2f6a1b1c2d3e"),
])  # fmt: skip
def test_what_nobody_has_by_chance_is_looked_for(key: str, text: str) -> None:
    cluster: Any = Cluster(secrets=[secret(**{key: text})])
    assert kube_secrets.secret_objects(cluster, KEYED, {})[0].distinctive == {
        KEYED.fingerprint(text.encode())
    }
