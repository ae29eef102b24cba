"""Secrets where no Secret is: every kind of place in a cluster, and records of Helm. Offline."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assay.formats.yaml_text import documents
from assay.origins import helm_record, kube_leaves
from assay.origins.configmaps import ConfigMapEntry
from assay.origins.leaks import FileVersion
from assay.origins.secret_uses import names_one
from assay.origins.sources import SecretObject
from assay.probes.kube import wire as kube_wire
from assay.probes.kube.discovery import api_resources
from assay.probes.sops.file import SecretFile
from assay.probes.vault import client as vault
from assay.secretscan.fingerprint import Fingerprinter
from assay.secretscan.leaves import Leaf, leaf_faults, walk


KEYED = Fingerprinter()
VALUE = "kQ93-vLmZ0pWtXy7bb"


def fingerprint(text: str) -> bytes:
    return KEYED.fingerprint(text.encode())


class Wire:
    """Answers the list of Helm's records with one that was given."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self.item = item

    def items(self, path: str, **selectors: str) -> list[Mapping[str, Any]]:
        assert (path, selectors) == ("/api/v1/secrets", {"fieldSelector": "type=helm.sh/release.v1"})
        return [self.item]


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
    private = frozenset({fingerprint(VALUE)})
    wrong = leaf_faults([Leaf("ConfigMap a/b", f"data.{name}", name, text)], KEYED, private)
    assert bool(wrong) == found, wrong
    assert all(VALUE not in str(offender) for offender in wrong)


def test_a_variable_goes_by_its_own_name() -> None:
    item = {
        "metadata": {"namespace": "a", "name": "b", "managedFields": [{"x": "y"}]},
        "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": VALUE}]}]},
    }
    (leaf,) = [one for one in kube_leaves.of_object("Pod", item) if one.text == VALUE]
    assert (leaf.ref, leaf.name) == ("Pod a/b", "DB_PASSWORD")
    assert not [one for one in kube_leaves.of_object("Pod", item) if one.text == "y"]


def test_an_argument_goes_by_the_option_before_it() -> None:
    args = ["--db-password", VALUE, "--verbose", "--level", "3", "--user=shop", "other"]
    item = {"metadata": {"name": "b"}, "spec": {"args": args}}
    ref = {one.text: one.name for one in kube_leaves.of_object("Pod", item) if one.path.startswith("spec")}
    assert ref[VALUE] == "db-password"
    assert (ref["3"], ref["--level"], ref["other"]) == ("level", "args", "args")


def test_the_annotations_of_a_secret_are_texts() -> None:
    copy = json.dumps({"stringData": {"password": VALUE}})
    held = SecretObject(
        "a", "b", "Opaque", (), {}, {}, annotations={"kubectl.kubernetes.io/last-applied": copy}
    )
    (found,) = kube_leaves.annotation_texts([held])
    assert leaf_faults(found.texts, KEYED, frozenset())
    assert VALUE not in repr(held)


class Discovery:
    """Two groups; what the second has of its own is in its older version alone."""

    def get(self, path: str) -> dict[str, Any]:
        def group(*versions: str) -> dict[str, Any]:
            ref = [{"groupVersion": one} for one in versions]
            return {"preferredVersion": ref[0], "versions": ref}

        def known(*kinds: str) -> dict[str, Any]:
            return {"resources": [{"name": k, "kind": k, "verbs": ["list", "get"]} for k in kinds]}

        return {
            "/apis": {"groups": [group("a/v1"), group("b/v2", "b/v1")]},
            "/api/v1": known("pods", "pods/log"), "/apis/a/v1": known("pods"),
            "/apis/b/v2": known("new"), "/apis/b/v1": known("new", "old"),
        }[path]  # fmt: skip


def test_what_only_an_older_version_knows_is_listed_too() -> None:
    found = [path for _, _, path in api_resources(Discovery(), frozenset({"list"}))]  # type: ignore[arg-type]
    assert found == ["/api/v1/pods", "/apis/a/v1/pods", "/apis/b/v2/new", "/apis/b/v1/old"]


# every kind of place --------------------------------------------------------------------------------

COPY = json.dumps(
    {"kind": "Secret", "apiVersion": "v1", "data": {"pin": base64.b64encode(b"4711-0815").decode()}}
)
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
INLINE = {"name": "DB_PASSWORD", "value": VALUE}
PLACED = [
    ("Pod", {"spec": {"containers": [{"env": [INLINE]}]}}, "spec.containers[0].env[0].value"),
    ("Pod", {"spec": {"initContainers": [{"args": [f"--db-password={VALUE}"]}]}},
     "spec.initContainers[0].args[0]"),
    ("Pod", {"spec": {"containers": [{"command": ["sh", "-c", f"psql postgres://me:{VALUE}@db:5432/a"]}]}},
     "spec.containers[0].command[2]"),
    ("ConfigMap", {"data": {"app.yaml": f"db:\n  password: {VALUE}\n"}}, "data.app.yaml"),
    ("ConfigMap", {"binaryData": {"a": base64.b64encode(gzip.compress(f"token: {VALUE}".encode())).decode()}},
     "binaryData.a"),
    ("ServiceAccount", {"metadata": {"annotations": {APPLIED: COPY}}}, f"metadata.annotations.{APPLIED}"),
    ("Cluster", {"spec": {"bootstrap": {"password": VALUE}}}, "spec.bootstrap.password"),
    ("Cluster", {"spec": {"bootstrap": {"password": 47110815}}}, "spec.bootstrap.password"),
    ("Application", {"spec": {"source": {"helm": {"parameters": [{**INLINE, "forceString": True}]}}}},
     "spec.source.helm.parameters[0].value"),
    ("Application", {"spec": {"source": {"helm": {"values": f"auth:\n  password: {VALUE}\n"}}}},
     "spec.source.helm.values"),
    ("HelmRelease", {"spec": {"values": {"auth": {"password": VALUE}}}}, "spec.values.auth.password"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "more", "place"), PLACED)
def test_every_kind_of_place_is_searched(kind: str, more: dict[str, Any], place: str) -> None:
    item = {**more, "metadata": {"namespace": "a", "name": "b", **more.get("metadata", {})}}
    (found,) = leaf_faults(kube_leaves.of_object(kind, item), KEYED, frozenset())
    assert (found.ref, found.why.partition(": ")[0]) == (f"{kind} a/b", place)
    assert VALUE not in str(found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("helm.values", "extraEnv:\n  - name: DB_PASSWORD\n    value: Xk9mQ2vLr8TzWp\n"),
        ("list", "# written by hand\n- name: DB_PASSWORD\n  value: Xk9mQ2vLr8TzWp\n"),
        ("settings", json.dumps({"pad": "x " * 12_000, "password": VALUE})),
        ("line", f"{'x ' * 12_000} password=Xk9mQ2vLr8TzWp"),
        ("app.yaml", "a: 1\n# password: Xk9mQ2vLr8TzWp\n"),
        ("app.yaml", "a: |\n  b:\n    - name: DB_PASSWORD\n      value: Xk9mQ2vLr8TzWp\n"),
        ("VAULT_SECRET_ID", "0b87ff3c-3dd1-4a5c-9a3a-2f6a1b1c2d3e"),
    ],
)
def test_a_text_with_a_structure_is_read_by_it(name: str, text: str) -> None:
    (found,) = leaf_faults([Leaf("ConfigMap a/b", f"data.{name}", name, text)], KEYED, frozenset())
    assert "Xk9m" not in str(found)


@pytest.mark.parametrize("ref", [
    {"name": "db.password", "value": VALUE, "forceString": True}, {"key": "db_password", "value": VALUE},
    {"key": "db_password", "value": VALUE, "type": "string"},
])  # fmt: skip
def test_a_value_goes_by_the_name_beside_it(ref: dict[str, Any]) -> None:
    (found,) = leaf_faults(walk("Application a/b", {"spec": [ref]}), KEYED, frozenset())
    assert found.why == f"spec[0].value: a value under the name {ref.get('name') or ref['key']}"


FILE, LABEL = "gcp-SA-key-2024-v1.json", "node.example.com/gpu-a100-80gb"
REFERENCES = {
    "env": {"valueFrom": {"secretKeyRef": {"name": "gcp", "key": FILE, "optional": True}}},
    "items": [{"key": FILE, "path": "key.json", "mode": 256}],
    "tolerations": [
        {"key": LABEL, "operator": "Exists", "effect": "NoSchedule"},
        {
            "key": LABEL,
            "operator": "Equal",
            "value": "true",
            "tolerationSeconds": 5,
        },
    ],
    "matchExpressions": [{"key": LABEL, "operator": "In", "values": ["a", "b"]}],
}


def test_a_key_that_says_which_is_no_secret() -> None:
    item = {"metadata": {"name": "b"}, "spec": REFERENCES}
    copy = {"metadata": {"name": "b", "annotations": {APPLIED: json.dumps(item)}}}
    event = {"metadata": {"name": "b"}, "message": "references non-existent secret key: gcp-sa-key-2024.json"}
    leaves = [leaf for one in (item, copy, event) for leaf in kube_leaves.of_object("Pod", one)]
    assert leaf_faults(leaves, KEYED, frozenset()) == []


@pytest.mark.parametrize("beside", [{}, {"cipher": "aes"}])
def test_a_key_beside_anything_else_is_one(beside: dict[str, str]) -> None:
    (found,) = leaf_faults(
        walk("ConfigMap a/b", {"encryption": {"key": VALUE, **beside}}), KEYED, frozenset()
    )
    assert found.why == "encryption.key: a value under the name key"


def test_what_is_made_for_everybody_to_read_is_no_secret_but_may_be_a_copy() -> None:
    item = {"metadata": {"name": "b"}, "status": {"authorizations": [{"challenges": [{"token": VALUE}]}]}}
    shown = frozenset({("Order", "status.authorizations.challenges.token")})
    leaves = list(kube_leaves.of_object("Order", item))
    assert leaf_faults(leaves, KEYED, frozenset())
    assert leaf_faults(leaves, KEYED, frozenset(), shown) == []
    assert leaf_faults(leaves, KEYED, frozenset({fingerprint(VALUE)}), shown)
    assert leaf_faults(list(kube_leaves.of_object("Other", item)), KEYED, frozenset(), shown)


@pytest.mark.parametrize("holder", [
    vault.VaultAnswer(200, {"data": VALUE}), kube_wire.ApiAnswer(200, {"data": VALUE}),
    Leaf("a", "b", "c", VALUE),
    documents(f"a: {VALUE}", "a.yaml")[0], ConfigMapEntry("a", "b", "c", VALUE, declared=False, sealed=False),
    SecretFile("a", Path("a"), Path("a"), (), VALUE), FileVersion("a", "b", VALUE.encode(), past=False),
])  # fmt: skip
def test_what_holds_a_value_does_not_show_it_in_a_frame(holder: object) -> None:
    assert VALUE not in repr(holder)


def test_a_projected_file_comes_from_what_is_judged() -> None:
    """A Secret's key is a step, a ConfigMap's or the pod's own annotation a text; a use in Git is seen."""
    text = """kind: Pod
spec:
  volumes:
    - name: all
      projected:
        sources:
          - secret: {name: from-nowhere}
          - configMap: {name: settings}
"""
    (used,) = [leaf for leaf in documents(text, "pod.yaml")[0].leaves if names_one(leaf)]
    assert used.text == "from-nowhere"


# records of Helm ------------------------------------------------------------------------------------


def record(coded: str) -> dict[str, Any]:
    twice = base64.b64encode(coded.encode()).decode()
    return {"metadata": {"namespace": "shop", "name": "sh.helm.release.v1.db.v1"}, "data": {"release": twice}}


def release(packed: bool = True, **more: object) -> dict[str, Any]:
    body = json.dumps({"name": "db", "chart": {"metadata": {}, "values": {}}, **more}).encode()
    return record(base64.b64encode(gzip.compress(body) if packed else body).decode())


def searched(item: dict[str, Any]) -> list[str]:
    (record,) = helm_record.record_texts(type("Kube", (), {"wire": Wire(item)})())  # type: ignore[arg-type]
    found = [
        *record.closed,
        *leaf_faults(record.texts, KEYED, frozenset({fingerprint(f"{VALUE}-copied")})),
    ]
    assert {one.ref for one in found} <= {"Secret shop/sh.helm.release.v1.db.v1"}
    assert VALUE not in str(found)
    return [one.why.partition(": ")[0] for one in found]


def chart_file(name: str, text: str) -> dict[str, str]:
    return {"name": name, "data": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("item", "where"),
    [
        (release(config={"auth": {"password": VALUE}}), "release.config.auth.password"),
        (release(packed=False, config={"auth": {"password": VALUE}}), "release.config.auth.password"),
        (release(config={"note": f"{VALUE}-copied"}), "release.config.note"),
        (release(chart={"values": {"token": VALUE}}), "release.chart.values.token"),
        (release(manifest="---\n# Source: a\napiVersion: v1\nkind: Secret\ndata:\n  pin: NDcxMS0wODE1\n"),
         "release.manifest"),
        (release(hooks=[{"manifest": f"env:\n- name: A\n  value: --db-password={VALUE}\n"}]),
         "release.hooks[0].manifest"),
        (release(chart={"files": [chart_file("files/app.conf", f"password={VALUE}\n")]}),
         "release.chart files/app.conf"),
        (release(chart={"templates": [chart_file("templates/a.yaml", f"data:\n  password: {VALUE}\n")]}),
         "release.chart templates/a.yaml"),
        (record(VALUE), "the record of a release does not open"),
        (record(base64.b64encode(b"\x1f\x8b broken").decode()), "the record of a release does not open"),
        (record(base64.b64encode(b"[]").decode()), "the record of a release does not open"),
    ],
)  # fmt: skip
def test_a_record_of_helm_is_opened(item: dict[str, Any], where: str) -> None:
    assert searched(item) == [where]


def test_a_record_without_secrets_is_innocent() -> None:
    template = "data:\n  password: {{ .Values.auth.password | b64enc }}\n"
    readme = "Set `auth.password` to a password, for example with --set auth.password=secretpassword\n"
    files = {
        "templates": [chart_file("templates/a.yaml", template)],
        "files": [chart_file("README.md", readme)],
    }
    manifest = "---\nkind: Deployment\nspec:\n  secretName: db-password\n"
    innocent = release(
        chart={"values": {"auth": {"password": "", "existingSecret": "db"}}, **files}, manifest=manifest
    )
    assert searched(innocent) == []
