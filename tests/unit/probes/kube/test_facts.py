"""Facts about Kubernetes objects: quantities, classes, tokens, rights. Properties where a parser has them."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from assay.errors import ProbeError
from assay.formats.quantity import BINARY, DECIMAL, quantity
from assay.probes.kube import facts as kube_facts
from assay.probes.kube import rbac as kube_rbac
from assay.probes.kube.paths import collection, plural, ref
from assay.probes.kube.shapes import KINDS, PLACES, admission_trials, pod_spec, workload_manifest


Manifest = dict[str, Any]
SIZES = {"cpu": "100m", "memory": "64Mi"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.1", "100m"),
        ("1Gi", "1024Mi"),
        ("1", "1000m"),
        ("1e3", "1k"),
        ("1E3", "1000"),
        ("1E", "1000P"),
        ("128974848", "123Mi"),
        ("1.5Gi", "1536Mi"),
        (".5", "500m"),
        ("5.", "5"),
        ("0", "0Mi"),
        ("-1", "-1000m"),
        ("+1", "1"),
        (2, "2"),
    ],
)
def test_same_quantity(one: object, other: object) -> None:
    assert quantity(one) == quantity(other)


@pytest.mark.parametrize(
    ("small", "large"), [("1G", "1Gi"), ("1M", "1Mi"), ("999m", "1"), ("1n", "1u"), ("-1", "0")]
)
def test_order_of_quantities(small: str, large: str) -> None:
    assert quantity(small) < quantity(large)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "m",
        "1 Gi",
        "1gi",
        "1KI",
        "1Ki1",
        "0x1",
        "1,5",
        "NaN",
        "inf",
        "1e",
        "--1",
        "1e9999",
        "\u0661",
        "9" * 99,
        True,
        None,
        "1\n",
    ],
)
def test_no_quantity(text: object) -> None:
    with pytest.raises(ProbeError):
        quantity(text)


@given(some.integers(-(10**12), 10**12), some.sampled_from(sorted(BINARY)))
def test_binary_suffixes_scale(number: int, suffix: str) -> None:
    assert quantity(f"{number}{suffix}") == number * 1024 ** BINARY[suffix]


@given(some.decimals(-(10**6), 10**6, allow_nan=False, places=3), some.sampled_from(sorted(DECIMAL)))
def test_decimal_suffixes_scale(number: Decimal, suffix: str) -> None:
    assert quantity(f"{number:f}{suffix}") == Fraction(number) * Fraction(10) ** DECIMAL[suffix]


@given(some.integers(0, 10**9), some.integers(-6, 6))
def test_exponents_are_what_they_say(number: int, power: int) -> None:
    assert quantity(f"{number}e{power}") == quantity(f"{number}E{power}") == number * Fraction(10) ** power


@given(some.text(max_size=12))
def test_any_text_is_a_quantity_or_an_error(text: str) -> None:
    with contextlib.suppress(ProbeError):
        assert isinstance(quantity(text), Fraction)


def spec(asked: object, **more: object) -> kube_facts.PodShape:
    return kube_facts.shape({"containers": [{"name": "c", "resources": asked}], **more})


def test_guaranteed_compares_values_not_texts() -> None:
    assert spec(
        {"requests": {"cpu": "0.1", "memory": "1Gi"}, "limits": {"cpu": "100m", "memory": "1024Mi"}}
    ).guaranteed
    assert spec({"limits": SIZES}).guaranteed
    assert not spec({"requests": SIZES}).guaranteed
    assert not spec({"requests": SIZES, "limits": {"cpu": "200m", "memory": "64Mi"}}).guaranteed
    assert not spec({"requests": {"cpu": 0, "memory": 0}, "limits": {"cpu": 0, "memory": 0}}).guaranteed
    assert not spec({"limits": {"memory": "64Mi"}}).guaranteed
    assert not spec({}).guaranteed


def test_init_and_sidecar_count_and_ephemeral_does_not() -> None:
    sized = {"limits": SIZES}
    for more in ({}, {"restartPolicy": "Always"}):
        shape = spec(sized, initContainers=[{"name": "i", **more}])
        assert not shape.guaranteed
        assert shape.unsized
    shape = spec(sized, ephemeralContainers=[{"name": "debug"}])
    assert shape.guaranteed
    assert not shape.unsized


def test_pod_level_resources_decide_where_they_are() -> None:
    assert spec({}, resources={"limits": SIZES}).guaranteed
    assert not spec({"limits": SIZES}, resources={"requests": SIZES}).guaranteed


def test_a_token_counts_if_it_is_mounted_and_for_the_api() -> None:
    def pod(audience: str, mounted: bool) -> kube_facts.PodShape:
        source = {"serviceAccountToken": {"audience": audience, "path": "t"}}
        mounts = [{"name": "v", "mountPath": "/v"}] if mounted else []
        volume = {"name": "v", "projected": {"sources": [source]}}
        return kube_facts.shape({"containers": [{"name": "c", "volumeMounts": mounts}], "volumes": [volume]})

    assert pod("", True).api_tokens
    assert pod("https://kubernetes.default.svc", True).api_tokens
    assert not pod("", False).api_tokens
    assert not pod("vault", True).api_tokens


json_like = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(
                [
                    "metadata",
                    "name",
                    "spec",
                    "status",
                    "containers",
                    "resources",
                    "limits",
                    "cpu",
                    "volumes",
                    "subjects",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(some.dictionaries(some.sampled_from(["metadata", "spec", "status"]), json_like, max_size=3))
def test_any_object_is_facts_or_a_probe_error(item: dict[str, Any]) -> None:
    for parse in (
        kube_facts.pod,
        kube_facts.node,
        kube_facts.namespace,
        kube_rbac.rbac_role,
        lambda i: kube_facts.workload("Job", i),
    ):
        with contextlib.suppress(ProbeError):
            parse(item)


def test_trials_differ_from_their_twin_in_one_image() -> None:
    for trial in admission_trials(KINDS, PLACES, {"unsigned": "bad"}, "good"):
        bad, baseline = str(trial.manifest("shop")), str(trial.baseline.manifest("shop"))
        assert bad.count("'bad'") == 1
        assert bad.replace("'bad'", "'good'") == baseline
        assert str(workload_manifest(trial.kind, "shop", pod_spec(trial.place, "good", "good"))) == baseline


def test_paths() -> None:
    assert collection("Pod", "shop") == "/api/v1/namespaces/shop/pods"
    assert collection("Deployment") == "/apis/apps/v1/deployments"
    assert [plural(k) for k in ("NetworkPolicy", "Ingress", "Gateway", "Endpoints")] == [
        "networkpolicies",
        "ingresses",
        "gateways",
        "endpoints",
    ]
    assert ref({"kind": "Pod", "metadata": {"namespace": "a", "name": "b"}}) == "Pod a/b"


def test_a_mark_counts_as_label_or_annotation_of_an_object_or_of_its_pods() -> None:
    template = {"metadata": {"labels": {"m": "true"}}, "spec": {"containers": [{"name": "c"}]}}

    def made(labels: Manifest, annotations: Manifest) -> kube_facts.Workload:
        meta = {"name": "w", "labels": labels, "annotations": annotations}
        return kube_facts.workload("Deployment", {"metadata": meta, "spec": {"template": template}})

    assert kube_facts.marked(made({}, {}), "m")
    assert kube_facts.marked(made({"m": "false"}, {"m": "true"}), "m")
    assert not kube_facts.marked(made({"m": "false"}, {}), "m")
    assert kube_facts.marked(kube_facts.Namespace("n", {}, {"m": "true"}, True), "m")
    assert not kube_facts.marked(kube_facts.Namespace("n", {"m": ""}, {}, True), "m")
