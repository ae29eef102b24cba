"""The ladder of proof: each level, what would raise it, templates, the report. Offline."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.platform import ControllerSecret
from assay.errors import ProbeError
from assay.origins import external_secrets, kube_secrets
from assay.origins.levels import KeyProvenance, classify_secrets
from assay.origins.sources import ExternalSecretSpec, SecretObject, SopsSecret, Sources
from assay.origins.tracer import by_owner
from assay.probes.kube.wire import ApiAnswer
from assay.secretscan.fingerprint import Fingerprinter


KEYED = Fingerprinter()
VALUE = "kQ93-vLmZ0pWtXy7bb"
OPERATOR = "externalsecrets.external-secrets.io/app"


def fingerprint(text: str) -> bytes:
    return KEYED.fingerprint(text.encode())


def stored(**more: object) -> SecretObject:
    base = SecretObject(
        "shop", "app", "Opaque", (("ExternalSecret", "app", "uid-1"),),
        {"password": frozenset({OPERATOR})}, {"password": fingerprint(VALUE)},
    )  # fmt: skip
    return dataclasses.replace(base, **more)  # type: ignore[arg-type]


def external_secret(**more: object) -> ExternalSecretSpec:
    base = ExternalSecretSpec("shop", "app", "uid-1", "app", "vault", "", extracts=("shop/app",))
    return dataclasses.replace(base, **more)  # type: ignore[arg-type]


def sources(*known: ExternalSecretSpec, **more: object) -> Sources:
    base = Sources(known, (), {"shop/app": {"password": fingerprint(VALUE).hex()}}, (), ("gitops",))
    return dataclasses.replace(base, **more)  # type: ignore[arg-type]


def one(what: SecretObject, known: Sources) -> KeyProvenance:
    (step,) = classify_secrets([what], known)
    return step


def test_a_value_of_vault_is_equal() -> None:
    step = one(stored(), sources(external_secret()))
    assert (step.level, step.proven, step.missing, step.owner) == ("R4", True, "", "ExternalSecret app")
    assert "vault shop/app" in step.source


@pytest.mark.parametrize(
    ("what", "known", "level", "word"),
    [
        (stored(), sources(), "-", "neither an ExternalSecret nor"),
        (stored(), sources(external_secret(extracts=("shop/other",))), "-", "does not know this key"),
        (stored(), sources(external_secret(fault="its ExternalSecret is not Ready")), "R1", "not Ready"),
        (stored(owners=()), sources(external_secret()), "R1", "does not own it"),
        (
            stored(owners=(("ExternalSecret", "app", "other"),)),
            sources(external_secret()),
            "R1",
            "does not own it",
        ),
        (
            stored(writers={"password": frozenset({OPERATOR, "kubectl"})}),
            sources(external_secret()),
            "R2",
            "kubectl",
        ),
        (stored(writers={}), sources(external_secret()), "R2", "nobody known"),
        (
            stored(fingerprints={"password": fingerprint("another")}),
            sources(external_secret()),
            "R3",
            "not the source's",
        ),
    ],
)
def test_each_rung_says_what_is_missing(what: SecretObject, known: Sources, level: str, word: str) -> None:
    step = one(what, known)
    assert (step.level, word in step.missing, step.proven) == (level, True, False), step


def test_a_source_without_the_value_is_not_equal() -> None:
    known = external_secret(extracts=(), direct={"password": ("shop/app", "gone")})
    assert one(stored(), sources(known)).missing == "the source has no such value"


def encrypted(value: str = VALUE) -> SopsSecret:
    return SopsSecret("secrets/shop.sops.yaml", "shop", "app", {"password": fingerprint(value)})


@pytest.mark.parametrize(
    ("writers", "file", "level"),
    [
        ({"gitops"}, encrypted(), "R4"),
        ({"gitops"}, encrypted("another"), "R3"),
        ({"gitops", "kubectl"}, encrypted(), "R2"),
        ({"kubectl"}, encrypted(), "R1"),
    ],
)
def test_a_file_is_a_source(writers: set[str], file: SopsSecret, level: str) -> None:
    what = stored(owners=(), writers={"password": frozenset(writers)})
    assert one(what, sources(sops=(file,))).level == level


def test_what_a_controller_makes_is_classified_by_name_type_and_writer() -> None:
    rule = ControllerSecret("shop/*", "Opaque", "maker", "its own")
    made = stored(owners=(), writers={"password": frozenset({"maker"})})
    assert one(made, sources(controllers=(rule,))).level == "R0"
    unknown = dataclasses.replace(made, writers={})
    for other in (
        stored(owners=()),
        dataclasses.replace(made, type="x"),
        dataclasses.replace(made, space="y"),
        unknown,
    ):
        assert one(other, sources(controllers=(rule,))).level == "-"


# templates ------------------------------------------------------------------------------------------


class Wire:
    """Answers with lists that were given."""

    def __init__(self, lists: Mapping[str, list[dict[str, Any]]]) -> None:
        self.lists = lists

    def items(self, path: str, *_: object, **__: object) -> list[dict[str, Any]]:
        return self.lists.get(path, [])

    def each(self, path: str, make: Callable[[dict[str, Any]], Any]) -> list[Any]:
        return [make(item) for item in self.items(path)]

    def ask(self, _: str, path: str) -> ApiAnswer:
        known = any(one.startswith(f"{path}/") for one in self.lists)
        ref = {"groupVersion": "external-secrets.io/v1"}
        return ApiAnswer(200 if known else 404, {"preferredVersion": ref, "versions": [ref]})

    def need(self, answer: ApiAnswer, *_: str) -> ApiAnswer:
        return answer

    def get(self, path: str) -> dict[str, Any]:
        known = [one.rpartition("/")[2] for one in self.lists if one.startswith(f"{path}/")]
        return {"resources": [{"name": name} for name in known]}


def kube(**lists: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - stands for the probe
    served = "/apis/external-secrets.io/v1"
    paths = {
        "secrets": "/api/v1/secrets",
        "external": f"{served}/externalsecrets",
        "stores": f"{served}/secretstores",
    }
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


def traced(item: dict[str, Any], about: dict[str, Any]) -> KeyProvenance:
    asked = kube(secrets=[item], external=[about], stores=[STORE])
    known = external_secrets.external_secret_specs(asked, "kv")
    found = kube_secrets.secret_objects(asked, KEYED, external_secrets.templates(known))
    entries = {"kv/shop/app": {"username": fingerprint("shop").hex(), "password": fingerprint(VALUE).hex()}}
    (step,) = classify_secrets(found, Sources(known, (), entries, (), ("gitops",)))
    return step


def test_a_template_that_arranges_is_followed() -> None:
    about = external({"line": '"{{ .user }}" "{{ .word }}"\n'})
    assert traced(secret(f'"shop" "{VALUE}"\n'), about).level == "R4"
    wrong = traced(secret('"shop" "another"\n'), about)
    assert (wrong.level, wrong.missing) == ("R3", "what stands for word is not the source's")
    assert traced(secret("something else"), about).missing == "its value does not fit the template"


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
    assert traced(secret("shop"), external({"line": text})).level == "R3"


@pytest.mark.parametrize(
    ("about", "word"),
    [
        (external({"line": "{{ .word }}"}, refresh="0s"), "never looks"),
        (external({"line": "{{ .word }}"}, ready="False"), "not Ready"),
        (external({"line": "{{ .word }}"}, age=900), "last looked"),
    ],
)
def test_what_is_not_kept_is_declared_only(about: dict[str, Any], word: str) -> None:
    step = traced(secret(VALUE), about)
    assert (step.level, word in step.missing) == ("R1", True), step


def test_one_placeholder_has_one_text() -> None:
    about = external({"line": "a={{ .word }} b={{ .word }}"})
    assert traced(secret(f"a={VALUE} b={VALUE}"), about).level == "R4"
    assert traced(secret(f"a=handmade b={VALUE}"), about).level == "R3"


def test_another_store_is_not_vault() -> None:
    other = {**STORE, "spec": {"provider": {"kubernetes": {}}}}
    (found,) = external_secrets.external_secret_specs(kube(external=[external({})], stores=[other]), "kv")
    assert "kubernetes, not Vault" in found.fault
    assert external_secrets.external_secret_specs(kube(), "kv") == []


def test_a_value_that_is_no_base64_is_no_value() -> None:
    item = {**secret("x"), "data": {"line": "%%%"}}
    with pytest.raises(ProbeError, match="not base64"):
        kube_secrets.secret_objects(kube(secrets=[item]), KEYED, {})


def test_large_and_binary_values_are_marked() -> None:
    raw = bytes(range(256)) * 4096
    item = {**secret("x"), "data": {"line": base64.b64encode(raw).decode()}}
    (found,) = kube_secrets.secret_objects(kube(secrets=[item]), KEYED, {})
    assert found.fingerprints == {"line": KEYED.fingerprint(raw)}
    assert VALUE not in repr(found)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value(raw: bytes) -> None:
    item = {**secret("x"), "data": {"line": base64.b64encode(raw).decode()}}
    template = {("shop", "app"): {"line": "a {{ .user }} b {{ .word }}"}}
    (found,) = kube_secrets.secret_objects(kube(secrets=[item]), KEYED, template)
    assert found.fingerprints["line"] == KEYED.fingerprint(raw)


def test_of_two_files_for_one_key_the_one_with_the_value_counts() -> None:
    what = stored(owners=(), writers={"password": frozenset({"gitops"})})
    two = [
        SopsSecret(f"{text}.yaml", "shop", "app", {"password": fingerprint(text)}) for text in ("east", VALUE)
    ]
    step = one(what, sources(sops=two))
    assert (step.level, step.source) == ("R4", f"SOPS {VALUE}.yaml")
    step = one(stored(owners=()), sources(sops=[two[0], dataclasses.replace(two[0], where="west.yaml")]))
    assert (step.level, step.missing) == ("-", "its value is none of those of east.yaml and west.yaml")


def test_a_file_without_a_namespace_is_known_by_its_name() -> None:
    what = stored(owners=(), writers={"password": frozenset({"gitops"})})
    bare = dataclasses.replace(encrypted(), space="")
    assert one(what, sources(sops=(bare,))).level == "R4"
    assert one(what, sources(sops=(bare, encrypted("another")))).level == "R3"
    assert one(dataclasses.replace(what, name="other"), sources(sops=(bare,))).level == "-"


@pytest.mark.parametrize(("text", "level"), [
    ("a:{{ .word }}:Summer2024!", "R3"), ("host=pg-1.db.svc port=5432 pass={{ .word }}", "R4"),
])  # fmt: skip
def test_a_short_text_of_its_own_is_one(text: str, level: str) -> None:
    assert traced(secret(text.replace("{{ .word }}", VALUE)), external({"line": text})).level == level


def test_owners_are_summed_up_by_namespace() -> None:
    rule = ControllerSecret("b/*", "Opaque", "maker", "its own")
    made = stored(space="b", name="made", owners=(), writers={"password": frozenset({"maker"})})
    kept = stored(space="b", name="kept", owners=(), writers={"password": frozenset({"gitops"})})
    lost = stored(space="b", name="lost", type="x", owners=(), writers={})
    file = dataclasses.replace(encrypted(), space="b", name="kept")
    stale = external_secret(space="c", fault="its ExternalSecret is not Ready")
    found = classify_secrets(
        [
            stored(),
            stored(fingerprints={"password": fingerprint("another")}),
            made,
            kept,
            lost,
            stored(space="c"),
        ],
        sources(external_secret(), stale, sops=(file,), controllers=(rule,)),
    )
    follows = "R5: a rotation that is followed (SEC-26)"
    assert by_owner(found) == {
        "b: SOPS secrets/shop.sops.yaml": f"1 R4; {follows}",
        "b: controller maker": "1 R0; its own",
        "b: nobody": "1 -; neither an ExternalSecret nor a SOPS file (password)",
        "c: ExternalSecret app": "1 R1; its ExternalSecret is not Ready (password)",
        "shop: ExternalSecret app": f"1 R4, 1 R3; its value is not the source's (password); {follows}",
    }
