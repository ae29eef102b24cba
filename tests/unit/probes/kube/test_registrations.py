"""Gates as they register themselves: which webhooks verify, where, for whom, how they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from assay.config.platform import Signatures
from assay.probes.kube.facts import Namespace
from assay.probes.kube.registrations import (
    RULE,
    UNKNOWN,
    WEBHOOKS,
    HookRule,
    ImageGate,
    image_gate,
    image_rules,
    known_products,
    webhooks,
)


VALIDATING, MUTATING = WEBHOOKS
PORTIERIS = "trust.hooks.securityenforcement.admission.cloud.ibm.com"
TRUST = 'Deny "r/i:1", failed to get content trust information'
ALL_RULES = [
    {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": [""],
        "resources": ["pods", "pods/ephemeralcontainers"],
    },
    {"operations": ["CREATE", "UPDATE"], "apiGroups": ["apps", "batch"], "resources": ["*"]},
]
Manifest = dict[str, Any]


def configuration(hook: str, **more: Any) -> Manifest:  # noqa: ANN401
    row = {"name": hook, "rules": ALL_RULES, "failurePolicy": "Fail", **more}
    return {"metadata": {"name": "cfg"}, "webhooks": [row]}


def gate_of(*found: tuple[str, Manifest], declared: Signatures | None = None) -> ImageGate:
    products = known_products(declared or Signatures())
    return ImageGate(tuple(hook for kind, item in found for hook in webhooks(kind, item, products)))


def denied(hook: str, words: str) -> str:
    return f'admission webhook "{hook}" denied the request: {words}'


@pytest.mark.parametrize(
    ("kind", "hook", "product", "words"),
    [
        (
            VALIDATING,
            "policy.sigstore.dev",
            "policy-controller",
            "validation failed: failed policy: release: spec.containers[0].image\nr/i@sha256:0 "
            "signature key validation failed for authority a for r/i: no signatures found",
        ),
        (
            VALIDATING,
            "policy.sigstore.dev",
            "policy-controller",
            "validation failed: failed policy: p: spec.containers[0].image\nr/i signature keyless validation "
            "failed for authority a for r/i: no matching signatures: none of the expected identities matched",
        ),
        (
            MUTATING,
            "mutate.kyverno.svc-fail",
            "Kyverno verifyImages",
            "\n\nresource Deployment/app/web was blocked due to the following policies\n\ncheck-image:\n"
            "  autogen-check: |\n    failed to verify image r/web:1: "
            ".attestors[0].entries[0].keys: no matching signatures:\n",
        ),
        (
            MUTATING,
            "mutate.kyverno.svc-fail-finegrained-check-image",
            "Kyverno verifyImages",
            "\n\nresource Pod/d/p was blocked due to the following policies\n\nc:\n"
            "  c: 'failed to verify image r/i: .attestors[0].entries[0].keyless: no signatures found'",
        ),
        (
            VALIDATING,
            "ivpol.validate.kyverno.svc-fail-finegrained-signed",
            "Kyverno ImageValidatingPolicy",
            "Policy signed failed: each image must be signed",
        ),
        (
            VALIDATING,
            "validation.gatekeeper.sh",
            "Ratify",
            "[ratify-constraint] Subject failed verification: r/i@sha256:0",
        ),
        (
            MUTATING,
            "connaisseur-svc.connaisseur.svc",
            "Connaisseur",
            "error during cosign validation: error validating image: [no signatures found]",
        ),
        (VALIDATING, "validation.gatekeeper.sh", "Ratify", "[tenants] Artifact failed verification: r/i, {}"),
        (MUTATING, PORTIERIS, "Portieris", f"{TRUST}: No signed targets found"),
        (MUTATING, PORTIERIS, "Portieris", "x: A signature was required, but no signature exists"),
        (
            MUTATING,
            "connaisseur-svc.connaisseur.svc",
            "Connaisseur",
            "Unable to find signed digest for image r/i:unsigned.",
        ),
    ],
)
def test_known_gates_are_recognised_and_understood(kind: str, hook: str, product: str, words: str) -> None:
    gate = gate_of((kind, configuration(hook)))
    assert gate.products == (product,)
    reason = denied(hook, " ".join(words.split()))
    assert gate.explains(reason, by_form=False)
    assert gate.layer(reason, by_form=False) == f'admission webhook "{hook}" denied the request'


@pytest.mark.parametrize(
    ("kind", "hook", "words"),
    [
        (
            VALIDATING,
            "policy.sigstore.dev",
            "signature key validation failed: GET https://r/v2/: connection refused",
        ),
        (
            VALIDATING,
            "policy.sigstore.dev",
            "validation failed: no matching policies: spec.containers[0].image",
        ),
        (
            VALIDATING,
            "ivpol.validate.kyverno.svc-fail",
            'Policy signed error: failed to evaluate policy: Get "https://r/v2/": no such host',
        ),
        (MUTATING, "mutate.kyverno.svc-fail", "failed to verify image r/i: GET https://r/v2/: UNAUTHORIZED"),
        (MUTATING, PORTIERIS, 'Deny "r/i:1", no matching repositories in the ImagePolicies'),
        (MUTATING, "connaisseur-svc.connaisseur.svc", "image r/i does not exist: image tag not found: r/i"),
    ],
)
def test_what_could_not_be_looked_at_is_no_verdict(kind: str, hook: str, words: str) -> None:
    gate = gate_of((kind, configuration(hook)))
    assert not gate.explains(denied(hook, words), by_form=True)


def test_words_of_one_webhook_do_not_count_for_another() -> None:
    gate = gate_of((VALIDATING, configuration("policy.sigstore.dev")))
    reason = denied("quota.example.com", "no signatures found")
    assert not gate.explains(reason, by_form=True)
    assert gate.layer(reason, by_form=True) == UNKNOWN


def test_webhooks_of_others_and_those_without_rules_are_no_gate() -> None:
    assert not gate_of((VALIDATING, configuration("cert-manager.io"))).hooks
    assert not gate_of((VALIDATING, configuration("policy.sigstore.dev", rules=[]))).hooks
    assert not gate_of((MUTATING, configuration("policy.sigstore.dev"))).hooks, "it resolves tags only"


def test_a_gate_that_the_profile_names() -> None:
    declared = Signatures(("images.example.com",), ("is not signed",))
    gate = gate_of((VALIDATING, configuration("images.example.com")), declared=declared)
    assert gate.explains(denied("images.example.com", "web is not signed"), by_form=False)


def test_no_gate_is_open_everywhere() -> None:
    gate = ImageGate(())
    assert len(gate.open_parts()) == 3
    assert gate.inside() == {}
    assert gate.outside() == []
    assert gate.layer("anything", by_form=True) == UNKNOWN


def test_a_gate_that_fails_open_or_knows_no_updates_is_open_there() -> None:
    assert gate_of((VALIDATING, configuration("policy.sigstore.dev"))).open_parts() == []
    ignoring = gate_of((VALIDATING, configuration("policy.sigstore.dev", failurePolicy="Ignore")))
    assert len(ignoring.open_parts()) == 3
    creating = [{"operations": ["CREATE"], "apiGroups": ["*"], "resources": ["*/*"]}]
    new_only = gate_of((VALIDATING, configuration("policy.sigstore.dev", rules=creating)))
    assert new_only.open_parts() == [("UPDATE", "pods"), ("UPDATE", "pods/ephemeralcontainers")]
    no_parts = [{"operations": ["*"], "apiGroups": [""], "resources": ["pods"]}]
    whole_only = gate_of((VALIDATING, configuration("policy.sigstore.dev", rules=no_parts)))
    assert whole_only.open_parts() == [("UPDATE", "pods/ephemeralcontainers")]


def test_one_webhook_that_fails_closed_is_enough() -> None:
    both = gate_of(
        (MUTATING, configuration("mutate.kyverno.svc-ignore", failurePolicy="Ignore")),
        (VALIDATING, configuration("validate.kyverno.svc-fail")),
    )
    assert both.open_parts() == []


@pytest.mark.parametrize(
    ("resources", "asked", "covered"),
    [
        (["pods"], "pods", True),
        (["pods"], "pods/ephemeralcontainers", False),
        (["*"], "pods", True),
        (["*"], "pods/ephemeralcontainers", False),
        (["*/*"], "pods", True),
        (["*/*"], "pods/ephemeralcontainers", True),
        (["pods/*"], "pods", True),
        (["pods/*"], "pods/ephemeralcontainers", True),
        (["*/ephemeralcontainers"], "pods/ephemeralcontainers", True),
        (["deployments"], "pods", False),
    ],
)
def test_resources_are_covered_as_kubernetes_reads_them(
    resources: list[str], asked: str, covered: bool
) -> None:
    rule = HookRule(frozenset({"CREATE"}), frozenset({""}), frozenset(resources))
    assert rule.covers("CREATE", "", asked) is covered
    assert not rule.covers("UPDATE", "", asked)
    assert not rule.covers("CREATE", "apps", asked)


def test_labels_that_lead_out_of_sight() -> None:
    opt_in = {
        "matchExpressions": [
            {"key": "off", "operator": "DoesNotExist"},
            {"key": "on", "operator": "In", "values": ["yes"]},
        ]
    }
    objects = {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}
    hook = configuration("policy.sigstore.dev", namespaceSelector=opt_in, objectSelector=objects)
    gate = gate_of((VALIDATING, hook))
    assert gate.inside() == {"on": "yes"}
    assert gate.outside() == [{"on": "yes", "off": "true"}, {}, {"on": "assay-other"}]
    assert gate.overlooked() == [{"skip": "true"}]


def test_namespaces_that_every_hook_looks_into() -> None:
    named = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}
    chosen = {"matchExpressions": [named], "matchLabels": {"on": "yes"}}
    gate = gate_of((VALIDATING, configuration("policy.sigstore.dev", namespaceSelector=chosen)))

    def space(name: str, **labels: str) -> Namespace:
        return Namespace(name, labels, {}, True)

    assert gate.looks_into(space("shop", on="yes"))
    assert not gate.looks_into(space("shop"))
    assert not gate.looks_into(space("kube-system", on="yes"))


@pytest.mark.parametrize(
    ("expression", "exempts"),
    [
        ("request.userInfo.username != 'ci'", True),
        ("!('admins' in request.userInfo.groups)", True),
        ("authorizer.group('').resource('pods').check('skip').allowed() == false", True),
        ("request.kind.kind != 'Event'", False),
        ("object.spec.nodeName != 'userInfo'", False),
    ],
)
def test_a_condition_that_looks_at_the_requester_leaves_somebody_out(expression: str, exempts: bool) -> None:
    hook = configuration("policy.sigstore.dev", matchConditions=[{"name": "c", "expression": expression}])
    (found,) = gate_of((VALIDATING, hook)).hooks
    assert bool(list(found.exempting_conditions())) is exempts
    assert found.ref == f"{VALIDATING} cfg/policy.sigstore.dev"


def rule(validation: Manifest, **more: Any) -> Manifest:  # noqa: ANN401
    spec = {"matchConstraints": {"resourceRules": ALL_RULES}, "validations": [validation], **more}
    return {"metadata": {"name": "r"}, "spec": spec}


def binding(*actions: str, policy: str = "r") -> Manifest:
    return {"metadata": {"name": "b"}, "spec": {"policyName": policy, "validationActions": list(actions)}}


IMAGES = {
    "expression": "object.spec.containers.all(c, c.image.contains('@'))",
    "message": "no digest (at all)",
}


def test_a_rule_refuses_forms_but_verifies_nothing() -> None:
    (floor,) = image_rules([rule(IMAGES)], [binding("Deny")])
    gate = ImageGate((*gate_of((VALIDATING, configuration("policy.sigstore.dev"))).hooks, floor))
    reason = f"pods \"p\" is forbidden: {RULE} 'r' with binding 'b' denied request: no digest (at all)"
    assert gate.explains(reason, by_form=True)
    assert not gate.explains(reason, by_form=False)
    assert gate.layer(reason, by_form=False) == UNKNOWN
    assert gate.verifiers == gate.hooks[:1]


@pytest.mark.parametrize(
    ("policy", "bound"),
    [
        (rule(IMAGES), binding("Audit", "Warn")),
        (rule(IMAGES), binding("Deny", policy="other")),
        (rule({"expression": "object.metadata.name != 'x'", "message": "no"}), binding("Deny")),
    ],
)
def test_rules_that_deny_nothing_or_other_things_do_not_count(policy: Manifest, bound: Manifest) -> None:
    assert not list(image_rules([policy], [bound]))


def test_what_a_rule_says_is_read_from_it() -> None:
    made = {
        "expression": "size(variables.loose) == 0",
        "messageExpression": "'without a digest: ' + variables.loose",
    }
    loose = {"name": "loose", "expression": "object.spec.containers.map(c, c.image)"}
    (found,) = image_rules([rule(made, variables=[loose])], [binding("Deny")])
    assert found.explains(
        "ValidatingAdmissionPolicy 'r' with binding 'b' denied request: without a digest: x:1"
    )
    (silent,) = image_rules([rule({"expression": "object.image == ''"})], [binding("Deny")])
    assert silent.explains(
        "ValidatingAdmissionPolicy 'r' denied request: failed expression: object.image == ''"
    )


class Cluster:
    """A cluster with registrations, served groups of the gates and their policies."""

    def __init__(self, objects: Mapping[str, list[Manifest]], policies: Mapping[str, list[Manifest]]) -> None:
        self.stored, self.policies, self.wire = objects, policies, self

    def objects(self, kind: str, **_: str) -> list[Manifest]:
        return self.stored.get(kind, [])

    def items(self, path: str) -> list[Manifest]:
        return self.policies[path]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every group is served, its resources at their own names."""

    def served(wire: Cluster, group: str) -> dict[str, str]:
        return {name.partition("/")[2]: name for name in wire.policies if name.startswith(f"{group}/")}

    monkeypatch.setattr("assay.probes.kube.registrations.served", served)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("policies", "found"),
    [
        ({}, ()),
        ({"kyverno.io/clusterpolicies": []}, ()),
        ({"kyverno.io/clusterpolicies": [{"spec": {"rules": [{"validate": {}}]}}]}, ()),
        (
            {"kyverno.io/clusterpolicies": [{"spec": {"rules": [{"verifyImages": []}]}}]},
            ("Kyverno verifyImages",),
        ),
        ({"kyverno.io/policies": [{"spec": {"rules": [{"verifyImages": []}]}}]}, ("Kyverno verifyImages",)),
    ],
)
def test_a_policy_engine_is_a_gate_only_with_a_policy_about_signatures(
    policies: dict[str, list[Manifest]], found: tuple[str, ...]
) -> None:
    cluster = Cluster({MUTATING: [configuration("mutate.kyverno.svc-fail")]}, policies)
    assert image_gate(cluster, Signatures()).products == found  # type: ignore[arg-type]


@pytest.mark.usefixtures("api")
def test_accounts_that_the_settings_of_a_gate_leave_out() -> None:
    settings = {
        "metadata": {"name": "kyverno", "namespace": "kyverno"},
        "data": {"excludeGroups": "system:nodes", "excludeUsernames": "ci-bot, !admin"},
    }
    stored = {MUTATING: [configuration("mutate.kyverno.svc-fail")], "ConfigMap": [settings]}
    policies = {"kyverno.io/policies": [{"spec": {"rules": [{"verifyImages": []}]}}]}
    gate = image_gate(Cluster(stored, policies), Signatures())  # type: ignore[arg-type]
    assert [one.requester for one in gate.exempted] == ["excludeUsernames: ci-bot"]


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("hook", "policies", "found"),
    [
        ("validation.gatekeeper.sh", {"config.ratify.sh/executors": [{}]}, ("Ratify",)),
        ("validation.gatekeeper.sh", {"templates.gatekeeper.sh/constrainttemplates": [{}]}, ()),
        (PORTIERIS, {"portieris.cloud.ibm.com/imagepolicies": [{"policy": {"simple": {}}}]}, ("Portieris",)),
        (PORTIERIS, {"portieris.cloud.ibm.com/imagepolicies": [{"policy": {"vulnerability": {}}}]}, ()),
    ],
)
def test_an_engine_of_several_uses_is_a_gate_by_its_policies(
    hook: str, policies: dict[str, list[Manifest]], found: tuple[str, ...]
) -> None:
    cluster = Cluster({MUTATING: [configuration(hook)]}, policies)
    assert image_gate(cluster, Signatures()).products == found  # type: ignore[arg-type]
