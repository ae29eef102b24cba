"""Rights as RBAC: a ServiceAccount, one ClusterRole, and a Role in each namespace where that suffices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from assay.effect import Effect
from assay.rights.needed import NeededRight


URLS = "/"
GROUP = "rbac.authorization.k8s.io"
UNDOTTED = frozenset({"apps", "autoscaling", "batch", "extensions", "policy"})
MARKS = {
    Effect.READS: "reads",
    Effect.DRY_RUN: "dry runs only, which RBAC cannot say: see bounds.yaml in gitops/nightly",
    Effect.DECOY: "in namespaces of the suite's own (assay-decoy-*), which RBAC cannot say: see bounds.yaml",
    Effect.WRITES: "changes something, or makes a credential",
    Effect.LOAD: "under load",
    Effect.DISRUPTS: "in drills",
}


@dataclass(frozen=True, slots=True)
class AccountName:
    """The service account that rights are bound to, and how its roles are called."""

    name: str = "nightly"
    namespace: str = "assay"

    @property
    def role(self) -> str:
        """Return the name of its roles and bindings."""
        return f"assay-{self.name}"


@dataclass(frozen=True, slots=True)
class RuleKey:
    """What the lines of one RBAC rule have in common; an optional one is written as a comment."""

    place: str
    optional: bool
    effect: Effect
    group: str
    names: tuple[str, ...]
    verb: str


def split_resource(resource: str) -> tuple[str, str]:
    """Return (API group, resource with its subresource) of `apps/deployments` or `pods/exec`.

    The group of a path is URLS.
    """
    if resource.startswith("/"):
        return URLS, resource
    if resource == "*":
        return "*", "*"
    first, _, rest = resource.partition("/")
    return (first, rest) if "." in first or first in UNDOTTED else ("", resource)


def rbac(needed: Iterable[NeededRight], account: AccountName) -> str:
    """Return the manifests, YAML, each line with the controls that need it.

    Namespaces where a Role suffices get one; what is needed everywhere stands in the ClusterRole.
    """
    rules = _rules([one for one in needed if one.right.system == "kubernetes"])
    places = sorted({key.place for key in rules})
    documents = [_account(account)]
    for place in places:
        inside = {key: lines for key, lines in rules.items() if key.place == place}
        documents += ["\n".join(_role(place, inside, account)), _binding(place, account)]
    return "---\n".join(f"{document.rstrip()}\n" for document in documents)


def _rules(needed: list[NeededRight]) -> dict[RuleKey, dict[str, list[str]]]:
    """Return rule -> resource -> who needs it, in the order in which they are written."""
    rules: dict[RuleKey, dict[str, set[str]]] = {}
    for one in needed:
        right = one.right
        asker = f"{one.control} with {right.only}" if right.only else one.control
        for verb, resource in product(right.verbs, right.on):
            group, name = split_resource(resource)
            key = RuleKey(right.place, right.optional, right.effect, group, right.names, verb)
            rules.setdefault(key, {}).setdefault(name, set()).add(asker)
    return {
        key: {name: sorted(who) for name, who in sorted(rules[key].items())}
        for key in sorted(rules, key=_order)
    }


def _order(key: RuleKey) -> tuple[object, ...]:
    return key.place, key.optional, list(Effect).index(key.effect), key.group, key.names, key.verb


def _account(account: AccountName) -> str:
    head = _head("v1", "ServiceAccount", account.name, account.namespace)
    return "\n".join([*head, "automountServiceAccountToken: false"])


def _head(version: str, kind: str, name: str, namespace: str) -> list[str]:
    inside = [f"  namespace: {namespace}"] if namespace else []
    return [f"apiVersion: {version}", f"kind: {kind}", "metadata:", f"  name: {name}", *inside]


def _role(
    place: str, rules: Mapping[RuleKey, Mapping[str, list[str]]], account: AccountName
) -> Iterator[str]:
    yield from _head(f"{GROUP}/v1", f"{'' if place else 'Cluster'}Role", account.role, place)
    yield "rules:"
    said = None
    for key, lines in rules.items():
        if said != (key.effect, key.optional):
            optional = "not granted by itself, and without it a part is untried: " if key.optional else ""
            yield f"  # {optional}{MARKS[key.effect]}"
        said = key.effect, key.optional
        yield from (f"  # {line[2:]}" if key.optional else line for line in _rule(key, lines))


def _rule(key: RuleKey, lines: Mapping[str, list[str]]) -> Iterator[str]:
    if key.group == URLS:
        yield "  - nonResourceURLs:"
    else:
        yield f'  - apiGroups: ["{key.group}"]'
        yield "    resources:"
    for name, who in lines.items():
        yield f"      - {json.dumps(name) if '*' in name else name} # {', '.join(who)}"
    if key.names:
        yield f"    resourceNames: [{', '.join(key.names)}]"
    yield f"    verbs: [{key.verb}]"


def _binding(place: str, account: AccountName) -> str:
    kind = f"{'' if place else 'Cluster'}Role"
    return "\n".join(
        [
            *_head(f"{GROUP}/v1", f"{kind}Binding", account.role, place),
            "roleRef:",
            f"  apiGroup: {GROUP}",
            f"  kind: {kind}",
            f"  name: {account.role}",
            "subjects:",
            "  - kind: ServiceAccount",
            f"    name: {account.name}",
            f"    namespace: {account.namespace}",
        ]
    )
