"""The ladder of proof: each rung, what would raise it, templates, texts that are no Secret. Offline."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssumptionError, ProbeError
from assay.probes import kube_leaves, kube_secrets
from assay.probes.kube_discovery import resources
from assay.probes.kube_leaves import Leaf
from assay.probes.origins import by_namespace
from assay.provenance.ladder import Filed, Held, Neither, Sources, Step, Synced, climb
from assay.provenance.marks import Marker


MARKER = Marker()
VALUE = "kQ93-vLmZ0pWtXy7bb"
OPERATOR = "externalsecrets.external-secrets.io/app"


def mark(text: str) -> bytes:
    return MARKER.mark(text.encode())


def held(**more: object) -> Held:
    base = Held(
        "shop", "app", "Opaque", (("ExternalSecret", "app", "uid-1"),),
        {"password": frozenset({OPERATOR})}, {"password": mark(VALUE)},
    )  # fmt: skip
    return dataclasses.replace(base, **more)  # type: ignore[arg-type]


def synced(**more: object) -> Synced:
    base = Synced("shop", "app", "uid-1", "app", "vault", "", extracts=("shop/app",))
    return dataclasses.replace(base, **more)  # type: ignore[arg-type]


def sources(*known: Synced, **more: object) -> Sources:
    base = Sources(known, (), {"shop/app": {"password": mark(VALUE).hex()}}, (), "gitops")
    return dataclasses.replace(base, **more)  # type: ignore[arg-type]


def one(what: Held, known: Sources) -> Step:
    (step,) = climb([what], known)
    return step


def test_a_value_of_vault_is_equal() -> None:
    step = one(held(), sources(synced()))
    assert (step.rung, step.proven, step.missing) == ("R4", True, "")
    assert "vault shop/app" in step.source


@pytest.mark.parametrize(
    ("what", "known", "rung", "word"),
    [
        (held(), sources(), "-", "neither an ExternalSecret nor"),
        (held(), sources(synced(extracts=("shop/other",))), "-", "does not know this key"),
        (held(), sources(synced(fault="its ExternalSecret is not Ready")), "R1", "not Ready"),
        (held(owners=()), sources(synced()), "R1", "does not own it"),
        (held(owners=(("ExternalSecret", "app", "other"),)), sources(synced()), "R1", "does not own it"),
        (held(writers={"password": frozenset({OPERATOR, "kubectl"})}), sources(synced()), "R2", "kubectl"),
        (held(writers={}), sources(synced()), "R2", "nobody known"),
        (held(marks={"password": mark("another")}), sources(synced()), "R3", "not the source's"),
    ],
)
def test_each_rung_says_what_is_missing(what: Held, known: Sources, rung: str, word: str) -> None:
    step = one(what, known)
    assert (step.rung, word in step.missing, step.proven) == (rung, True, False), step


def test_a_source_without_the_value_is_not_equal() -> None:
    known = synced(extracts=(), direct={"password": ("shop/app", "gone")})
    assert one(held(), sources(known)).missing == "the source has no such value"


def filed(value: str = VALUE) -> Filed:
    return Filed("secrets/shop.sops.yaml", "shop", "app", {"password": mark(value)})


@pytest.mark.parametrize(
    ("writers", "file", "rung"),
    [
        ({"gitops"}, filed(), "R4"),
        ({"gitops"}, filed("another"), "R3"),
        ({"gitops", "kubectl"}, filed(), "R2"),
        ({"kubectl"}, filed(), "R1"),
    ],
)
def test_a_file_is_a_source(writers: set[str], file: Filed, rung: str) -> None:
    what = held(owners=(), writers={"password": frozenset(writers)})
    assert one(what, sources(filed=(file,))).rung == rung


def test_what_a_controller_makes_is_classified_by_name_type_and_writer() -> None:
    rule = Neither.read("shop/*|Opaque|maker=its own")
    made = held(owners=(), writers={"password": frozenset({"maker"})})
    assert one(made, sources(neither=(rule,))).rung == "R0"
    unknown = dataclasses.replace(made, writers={})
    for other in (
        held(owners=()),
        dataclasses.replace(made, kind="x"),
        dataclasses.replace(made, space="y"),
        unknown,
    ):
        assert one(other, sources(neither=(rule,))).rung == "-"


@pytest.mark.parametrize("entry", ["", "a=b", "a|b=c", "a|b|=c", "a|b|c=", "a|b|c|d=e", "a|b|c"])
def test_a_rule_is_written_whole(entry: str) -> None:
    with pytest.raises(AssumptionError):
        Neither.read(entry)


# templates ------------------------------------------------------------------------------------------


class Wire:
    """Answers with lists that were given."""

    def __init__(self, lists: Mapping[str, list[dict[str, Any]]]) -> None:
        self.lists = lists

    def items(self, path: str, *_: object, **__: object) -> list[dict[str, Any]]:
        return self.lists.get(path, [])

    def ask(self, _: str, path: str) -> object:
        known = path.partition("?")[0] in self.lists
        return type("Answer", (), {"status": 200 if known else 404})()


def kube(**lists: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - stands for the probe
    paths = {"secrets": "/api/v1/secrets", "external": kube_secrets.SYNCED, "stores": kube_secrets.STORES}
    return type("Kube", (), {"wire": Wire({paths[name]: items for name, items in lists.items()})})()


def external(
    data: Mapping[str, str], refresh: str = "1m", ready: str = "True", age: float = 5
) -> dict[str, Any]:
    then = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age)
    return {
        "metadata": {"namespace": "shop", "name": "app", "uid": "uid-1"},
        "spec": {
            "refreshInterval": refresh,
            "secretStoreRef": {"name": "vault"},
            "target": {"name": "app", "template": {"data": dict(data)}},
            "data": [
                {"secretKey": "user", "remoteRef": {"key": "shop/app", "property": "username"}},
                {"secretKey": "word", "remoteRef": {"key": "shop/app", "property": "password"}},
            ],
        },
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "refreshTime": then.isoformat().replace("+00:00", "Z"),
        },
    }


STORE = {"metadata": {"namespace": "shop", "name": "vault"}, "spec": {"provider": {"vault": {}}}}


def secret(text: str, key: str = "line") -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "shop",
            "name": "app",
            "ownerReferences": [{"kind": "ExternalSecret", "name": "app", "uid": "uid-1"}],
            "managedFields": [{"manager": OPERATOR, "fieldsV1": {"f:data": {".": {}, f"f:{key}": {}}}}],
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(text.encode()).decode()},
    }


def climbed(item: dict[str, Any], about: dict[str, Any]) -> Step:
    asked = kube(secrets=[item], external=[about], stores=[STORE])
    found = kube_secrets.held(asked, MARKER, kube_secrets.templates(kube_secrets.synced(asked)))
    entries = {"shop/app": {"username": mark("shop").hex(), "password": mark(VALUE).hex()}}
    (step,) = climb(found, Sources(kube_secrets.synced(asked), (), entries, (), "gitops"))
    return step


def test_a_template_that_arranges_is_followed() -> None:
    about = external({"line": '"{{ .user }}" "{{ .word }}"\n'})
    assert climbed(secret(f'"shop" "{VALUE}"\n'), about).rung == "R4"
    wrong = climbed(secret('"shop" "another"\n'), about)
    assert (wrong.rung, wrong.missing) == ("R3", "what stands for word is not the source's")
    assert climbed(secret("something else"), about).missing == "its value does not fit the template"


@pytest.mark.parametrize(
    "text",
    [
        "{{ .word | b64enc }}",
        "{{ .nobody }}",
        "{{ .user }} pass=Xy7-kQ93vLmZ0pWt",
        "Xy7-kQ93vLmZ0pWt",
        "plain",
    ],
)
def test_a_template_with_more_than_the_source_is_not_equal(text: str) -> None:
    assert climbed(secret("shop"), external({"line": text})).rung == "R3"


@pytest.mark.parametrize(
    ("about", "word"),
    [
        (external({"line": "{{ .word }}"}, refresh="0s"), "never looks"),
        (external({"line": "{{ .word }}"}, ready="False"), "not Ready"),
        (external({"line": "{{ .word }}"}, age=900), "last looked"),
    ],
)
def test_what_is_not_kept_is_declared_only(about: dict[str, Any], word: str) -> None:
    step = climbed(secret(VALUE), about)
    assert (step.rung, word in step.missing) == ("R1", True), step


def test_one_placeholder_has_one_text() -> None:
    about = external({"line": "a={{ .word }} b={{ .word }}"})
    assert climbed(secret(f"a={VALUE} b={VALUE}"), about).rung == "R4"
    assert climbed(secret(f"a=handmade b={VALUE}"), about).rung == "R3"


def test_another_store_is_not_vault() -> None:
    other = {**STORE, "spec": {"provider": {"kubernetes": {}}}}
    (found,) = kube_secrets.synced(kube(external=[external({})], stores=[other]))
    assert "kubernetes, not Vault" in found.fault
    assert kube_secrets.synced(kube()) == []


def test_a_value_that_is_no_base64_is_no_value() -> None:
    item = {**secret("x"), "data": {"line": "%%%"}}
    with pytest.raises(ProbeError, match="no base64"):
        kube_secrets.held(kube(secrets=[item]), MARKER, {})


def test_large_and_binary_values_are_marked() -> None:
    raw = bytes(range(256)) * 4096
    item = {**secret("x"), "data": {"line": base64.b64encode(raw).decode()}}
    (found,) = kube_secrets.held(kube(secrets=[item]), MARKER, {})
    assert found.marks == {"line": MARKER.mark(raw)}
    assert VALUE not in repr(found)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value(raw: bytes) -> None:
    item = {**secret("x"), "data": {"line": base64.b64encode(raw).decode()}}
    template = {("shop", "app"): {"line": "a {{ .user }} b {{ .word }}"}}
    (found,) = kube_secrets.held(kube(secrets=[item]), MARKER, template)
    assert found.marks["line"] == MARKER.mark(raw)


# everything else ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("DB_PASSWORD", VALUE, True),
        ("app.conf", f"host=db\npassword={VALUE}\n", True),
        ("note", f"for later: {VALUE} (old)", True),
        ("note", base64.b64encode(VALUE.encode()).decode(), True),
        ("note", json.dumps({"a": VALUE}), True),
        ("args", f"--db-password={VALUE}", True),
        ("line", f"hvs.{VALUE}{VALUE}".replace("-", "x"), True),
        ("image", "registry.example/app@sha256:" + "a1" * 32, False),
        ("name", "vault-internal", False),
        ("secretName", "public-api-tls", False),
        ("note", "nothing to see here", False),
        ("note", f"see {base64.b64encode(VALUE.encode()).decode()} there", True),
        ("note", f"password: {VALUE}", True),
        ("note", f"{VALUE}\n", True),
    ],
)
def test_a_secret_is_found_wherever_it_lies(name: str, text: str, found: bool) -> None:
    private = frozenset({mark(VALUE)})
    wrong = kube_leaves.faults([Leaf("ConfigMap a/b", f"data.{name}", name, text)], MARKER, private)
    assert bool(wrong) == found, wrong
    assert all(VALUE not in str(offender) for offender in wrong)


def test_a_variable_goes_by_its_own_name() -> None:
    item = {
        "metadata": {"namespace": "a", "name": "b", "managedFields": [{"x": "y"}]},
        "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": VALUE}]}]},
    }
    walked: Callable[..., Any] = kube_leaves._of
    (leaf,) = [one for one in walked("Pod", item) if one.text == VALUE]
    assert (leaf.named, leaf.name) == ("Pod a/b", "DB_PASSWORD")
    assert not [one for one in walked("Pod", item) if one.text == "y"]


def test_an_argument_goes_by_the_option_before_it() -> None:
    walked: Callable[..., Any] = kube_leaves._of
    args = ["--db-password", VALUE, "--verbose", "--level", "3", "--user=shop", "other"]
    item = {"metadata": {"name": "b"}, "spec": {"args": args}}
    named = {one.text: one.name for one in walked("Pod", item) if one.path.startswith("spec")}
    assert named[VALUE] == "db-password"
    assert (named["3"], named["--level"], named["other"]) == ("level", "args", "args")


def test_the_annotations_of_a_secret_are_texts() -> None:
    copy = json.dumps({"stringData": {"password": VALUE}})
    (leaf,) = kube_leaves.annotated([held(annotations={"kubectl.kubernetes.io/last-applied": copy})])
    assert kube_leaves.faults([leaf], MARKER, frozenset())
    assert VALUE not in repr(held(annotations={"a": VALUE}))


def test_two_files_for_one_key_are_no_source() -> None:
    filed = [Filed(where, "shop", "app", {"password": mark(VALUE)}) for where in ("a.yaml", "b.yaml")]
    step = one(held(owners=()), sources(filed=filed))
    assert (step.rung, step.missing) == ("-", "a.yaml and b.yaml both say what it is")


@pytest.mark.parametrize(("text", "rung"), [
    ("a:{{ .word }}:Summer2024!", "R3"), ("host=pg-1.db.svc port=5432 pass={{ .word }}", "R4"),
])  # fmt: skip
def test_a_short_text_of_its_own_is_one(text: str, rung: str) -> None:
    assert climbed(secret(text.replace("{{ .word }}", VALUE)), external({"line": text})).rung == rung


class Discovery:
    """Two groups; what the second has of its own is in its older version alone."""

    def get(self, path: str) -> dict[str, Any]:
        def group(*versions: str) -> dict[str, Any]:
            named = [{"groupVersion": one} for one in versions]
            return {"preferredVersion": named[0], "versions": named}

        def known(*kinds: str) -> dict[str, Any]:
            return {"resources": [{"name": k, "kind": k, "verbs": ["list", "get"]} for k in kinds]}

        return {
            "/apis": {"groups": [group("a/v1"), group("b/v2", "b/v1")]},
            "/api/v1": known("pods", "pods/log"), "/apis/a/v1": known("pods"),
            "/apis/b/v2": known("new"), "/apis/b/v1": known("new", "old"),
        }[path]  # fmt: skip


def test_what_only_an_older_version_knows_is_listed_too() -> None:
    found = [path for _, _, path in resources(Discovery(), frozenset({"list"}))]  # type: ignore[arg-type]
    assert found == ["/api/v1/pods", "/apis/a/v1/pods", "/apis/b/v2/new", "/apis/b/v1/old"]


def test_the_namespaces_are_summed_up() -> None:
    steps = [
        Step("Secret a/x", "a", "k", "R4", "vault shop/app by ExternalSecret x"),
        Step("Secret a/y", "a", "k", "R4", "SOPS secrets/a.sops.yaml"),
        Step("Secret b/z", "b", "k", "R0", "made by a controller"),
        Step("Secret b/w", "b", "k", "-", "", "from nowhere"),
    ]
    assert by_namespace(steps) == {"a": "1 R4 from vault, 1 R4 from SOPS", "b": "1 R0, 1 -"}
