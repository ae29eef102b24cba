"""What judges an image before it is admitted: webhooks that verify signatures, and rules about images.

Read from their registrations: where they look, whom they leave out, how they refuse, what happens when they
do not answer.
"""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.config.platform import Signatures
from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import served
from assay.probes.kube.facts import Namespace
from assay.probes.kube.fields import Object, mapping_at, mappings_at, metadata_of
from assay.probes.kube.selectors import OWN_NAME, Labels, Selector, selector


WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
RULE = "ValidatingAdmissionPolicy"
DECLARED = "declared in the profile"
LITERAL = re.compile(r"'((?:[^'\\]|\\.){8,})'|\"((?:[^\"\\]|\\.){8,})\"")
REQUESTER = re.compile(r"\brequest\.userInfo\b|\bauthorizer\b")
UNKNOWN = "a gate that the suite knows or the profile names"
POD_PARTS = (("CREATE", "pods"), ("UPDATE", "pods"), ("UPDATE", "pods/ephemeralcontainers"))


@dataclass(frozen=True, slots=True)
class Product:
    """A gate as `gates.toml` knows it; see there."""

    product: str
    hooks: tuple[str, ...]
    refusals: tuple[str, ...]
    kind: str = ""
    api: str = ""
    policies: tuple[str, ...] = ()
    holding: tuple[str, ...] = ()
    exempting: Mapping[str, Any] = field(default_factory=dict)

    def registers(self, kind: str, hook: str) -> bool:
        """Return whether a webhook of this name, in a configuration of `kind`, verifies for it."""
        return self.kind in {"", kind} and any(fnmatch.fnmatchcase(hook, glob) for glob in self.hooks)


@dataclass(frozen=True, slots=True)
class HookRule:
    """Which requests one rule of a registration covers."""

    operations: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]

    def covers(self, operation: str, group: str, resource: str) -> bool:
        """Return whether a request with this operation on this resource, or subresource `a/b`, is covered."""
        whole, _, part = resource.partition("/")
        names = {resource, "*/*", f"{whole}/*", *([f"*/{part}"] if part else ["*"])}
        return (
            bool({operation, "*"} & self.operations)
            and bool({group, "*"} & self.groups)
            and bool(names & self.resources)
        )


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook or rule that judges images.

    Attributes:
        kind: of the object that registers it.
        configuration: that object's name.
        name: the webhook's own, or again the object's.
        product: what it is; `rule` for a ValidatingAdmissionPolicy, which cannot verify a signature.
        layer: how its refusals begin.
        refusals: regular expressions, how it says that an image is not let in.
        rules: what it covers.
        namespaces: of which namespaces.
        objects: of which objects in them.
        conditions: (name, CEL expression) pairs that must hold of a request as well.
        fails_open: without an answer of it a request is admitted.
    """

    kind: str
    configuration: str
    name: str
    product: str
    layer: str
    refusals: tuple[str, ...]
    rules: tuple[HookRule, ...]
    namespaces: Selector
    objects: Selector
    conditions: tuple[tuple[str, str], ...]
    fails_open: bool

    @property
    def ref(self) -> str:
        """Return `Kind name`, with the webhook's name behind a slash where it differs."""
        inner = f"/{self.name}" if self.name != self.configuration else ""
        return f"{self.kind} {self.configuration}{inner}"

    @property
    def verifies(self) -> bool:
        """Return True for a webhook that verifies signatures, False for a rule about images."""
        return self.kind != RULE

    def covers(self, operation: str, group: str, resource: str) -> bool:
        """Return whether one of its rules covers such requests."""
        return any(rule.covers(operation, group, resource) for rule in self.rules)

    def explains(self, reason: str) -> bool:
        """Return whether the words of a refusal are its own, and about the image's signature."""
        return self.layer.lower() in reason.lower() and any(re.search(one, reason) for one in self.refusals)

    def exempting_conditions(self) -> Iterator[tuple[str, str]]:
        """Yield the conditions that look at who asks: each leaves somebody out."""
        yield from ((name, text) for name, text in self.conditions if REQUESTER.search(text))


@dataclass(frozen=True, slots=True)
class Exempted:
    """A requester that a gate's own settings leave out."""

    ref: str
    requester: str


@dataclass(frozen=True, slots=True)
class ImageGate:
    """Everything that judges images before they are admitted.

    `exempted` are the requesters that its own settings leave out.
    """

    hooks: tuple[Hook, ...]
    exempted: tuple[Exempted, ...] = ()

    @property
    def verifiers(self) -> tuple[Hook, ...]:
        """Return the webhooks that verify signatures."""
        return tuple(hook for hook in self.hooks if hook.verifies)

    @property
    def products(self) -> tuple[str, ...]:
        """Return what verifies signatures here, each once."""
        return tuple(dict.fromkeys(hook.product for hook in self.verifiers))

    def inside(self) -> Labels:
        """Return labels of a namespace that every hook looks into."""
        return {key: value for hook in self.hooks for key, value in hook.namespaces.selected().items()}

    def outside(self) -> list[Labels]:
        """Return sets of labels that take a namespace out of the sight of a webhook that verifies."""
        inside = self.inside()
        found = [labels for hook in self.verifiers for labels in hook.namespaces.evasions(inside)]
        return [labels for n, labels in enumerate(found) if labels not in found[:n]]

    def looks_into(self, space: Namespace) -> bool:
        """Return whether every hook looks into a namespace."""
        return all(hook.namespaces.selects({**space.labels, OWN_NAME: space.name}) for hook in self.hooks)

    def overlooked(self) -> list[Labels]:
        """Return sets of labels that take an object out of the sight of a webhook that verifies."""
        found = [
            labels
            for hook in self.verifiers
            for labels in hook.objects.evasions(hook.objects.selected())
            if labels
        ]
        return [labels for n, labels in enumerate(found) if labels not in found[:n]]

    def layer(self, reason: str, *, by_form: bool) -> str:
        """Return how the refusals of the hook begin whose words `reason` is.

        A rule counts only for images refused `by_form`: by tag, or mounted as a volume. Where none of them
        refused, a word for a known gate, so that a message can name it.
        """
        judging = [hook for hook in self.hooks if hook.verifies or by_form]
        return next((hook.layer for hook in judging if hook.layer.lower() in reason.lower()), UNKNOWN)

    def explains(self, reason: str, *, by_form: bool) -> bool:
        """Return whether a refusal is for want of a valid signature, and not because of a failed fetch."""
        return any(hook.explains(reason) for hook in self.hooks if hook.verifies or by_form)

    def open_parts(self) -> list[tuple[str, str]]:
        """Return (operation, resource) of pods that no webhook covers which refuses when it cannot answer."""
        return [
            (operation, resource)
            for operation, resource in POD_PARTS
            if not any(h.covers(operation, "", resource) and not h.fails_open for h in self.verifiers)
        ]


def known_products(more: Signatures) -> tuple[Product, ...]:
    """Return the gates that the suite knows, and the one that a profile declares besides."""
    rows = tomllib.loads(Path(__file__).with_name("gates.toml").read_text(encoding="utf-8"))["gates"]
    known = [_product(row) for row in rows]
    if more.hooks:
        known.insert(0, Product(DECLARED, more.hooks, more.refusals))
    return tuple(known)


def _product(row: Mapping[str, Any]) -> Product:
    return Product(
        product=row["product"],
        hooks=tuple(row["hooks"]),
        refusals=tuple(row["refusals"]),
        kind=row.get("kind", ""),
        api=row.get("api", ""),
        policies=tuple(row.get("policies", ())),
        holding=tuple(row.get("holding", ())),
        exempting=row.get("exempting", {}),
    )


def image_gate(kube: Kube, declared: Signatures) -> ImageGate:
    """Return what judges images in this cluster, read from its registrations; it may be nothing.

    Raises:
        ProbeError: the registrations, or the gates' own policies, cannot be read.
    """
    products = [product for product in known_products(declared) if _has_policies(kube, product)]
    with parsing("the registrations of admission"):
        hooks = [
            hook
            for kind in WEBHOOKS
            for item in kube.objects(kind)
            for hook in webhooks(kind, item, products)
        ]
        rules = list(image_rules(kube.objects(RULE), kube.objects(f"{RULE}Binding")))
    used = [product for product in products if any(hook.product == product.product for hook in hooks)]
    return ImageGate((*hooks, *rules), tuple(_exempted(kube, used)))


def _has_policies(kube: Kube, product: Product) -> bool:
    """Return whether a gate has a policy about signatures; one that keeps none in the API always has."""
    if not product.api:
        return True
    found = served(kube.wire, product.api)
    items = (item for name in product.policies if name in found for item in kube.wire.items(found[name]))
    texts = (json.dumps(item) for item in items)
    return any(not product.holding or any(f'"{key}"' in text for key in product.holding) for text in texts)


def webhooks(kind: str, item: Object, products: Sequence[Product]) -> Iterator[Hook]:
    """Yield the webhooks of one configuration that belong to a gate and cover pods or what makes them."""
    name = str(metadata_of(item)["name"])
    for hook in mappings_at(item, "webhooks"):
        called = str(hook.get("name", ""))
        product = next((one for one in products if one.registers(kind, called)), None)
        rules = tuple(map(_rule, mappings_at(hook, "rules")))
        if product is None or not rules:
            continue
        yield Hook(
            kind=kind,
            configuration=name,
            name=called,
            product=product.product,
            layer=f'admission webhook "{called}" denied the request',
            refusals=product.refusals,
            rules=rules,
            namespaces=selector(mapping_at(hook, "namespaceSelector")),
            objects=selector(mapping_at(hook, "objectSelector")),
            conditions=_conditions(hook),
            fails_open=hook.get("failurePolicy") == "Ignore",
        )


def image_rules(policies: Iterable[Object], bindings: Iterable[Object]) -> Iterator[Hook]:
    """Yield the rules of the API server itself that look at images of pods, once per binding that denies."""
    by_policy: dict[str, list[Object]] = {}
    for binding in bindings:
        spec = mapping_at(binding, "spec")
        if "Deny" in (spec.get("validationActions") or ()):
            by_policy.setdefault(str(spec.get("policyName")), []).append(spec)
    for item in policies:
        name, spec = str(metadata_of(item)["name"]), mapping_at(item, "spec")
        constraints = mapping_at(spec, "matchConstraints")
        rules = tuple(map(_rule, mappings_at(constraints, "resourceRules")))
        refusals = tuple(_said(spec))
        pods = any(rule.covers(op, "", part) for rule in rules for op, part in POD_PARTS)
        for bound in by_policy.get(name, ()) if refusals and pods else ():
            more = mapping_at(bound, "matchResources")
            yield Hook(
                kind=RULE,
                configuration=name,
                name=name,
                product="rule",
                layer=f"{RULE} '{name}'",
                refusals=refusals,
                rules=rules,
                namespaces=selector(*(mapping_at(each, "namespaceSelector") for each in (constraints, more))),
                objects=selector(*(mapping_at(each, "objectSelector") for each in (constraints, more))),
                conditions=_conditions(spec),
                fails_open=spec.get("failurePolicy") == "Ignore",
            )


def _said(spec: Object) -> Iterator[str]:
    """Yield what a rule says, as regular expressions, where it refuses an image."""
    variables = " ".join(str(row.get("expression", "")) for row in mappings_at(spec, "variables"))
    for validation in mappings_at(spec, "validations"):
        expression = str(validation.get("expression", ""))
        if "image" not in expression + variables * ("variables." in expression):
            continue
        said = [a or b for a, b in LITERAL.findall(str(validation.get("messageExpression", "")))]
        message = str(validation.get("message", "")) or ("" if said else f"failed expression: {expression}")
        yield from map(re.escape, filter(None, [message, *said]))


def _rule(item: Object) -> HookRule:
    return HookRule(
        *(frozenset(map(str, item.get(key) or ())) for key in ("operations", "apiGroups", "resources"))
    )


def _conditions(item: Object) -> tuple[tuple[str, str], ...]:
    rows = mappings_at(item, "matchConditions")
    return tuple((str(row.get("name", "")), str(row.get("expression", ""))) for row in rows)


def _exempted(kube: Kube, products: Iterable[Product]) -> Iterator[Exempted]:
    """Yield the requesters that the settings of a gate leave out, but for those that come with it."""
    wanted = {str(one.exempting["name"]): one.exempting for one in products if one.exempting}
    items = kube.objects("ConfigMap", fieldSelector=f"metadata.name={next(iter(wanted))}") if wanted else []
    for item in items:
        meta, data = metadata_of(item), mapping_at(item, "data")
        told = wanted.get(str(meta["name"]), {})
        for key in told.get("keys", ()):
            for who in re.split(r"[\s,]+", str(data.get(key, ""))):
                if who and not who.startswith("!") and who not in told["usual"]:
                    ref = f"ConfigMap {meta.get('namespace')}/{meta['name']}"
                    yield Exempted(ref, f"{key}: {who}")
