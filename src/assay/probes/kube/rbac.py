"""Who may do what: bindings with their rules resolved, aggregated ClusterRoles included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay.formats.parsing import parsing
from assay.probes.kube.fields import Object, mapping_at, mappings_at, metadata_of, strings_at


HARMLESS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})
ACCOUNT = "system:serviceaccount:"
BOOTSTRAPPING = "kubernetes.io/bootstrapping"
Roles = Mapping[tuple[str, str], "RbacRole"]


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule of a role: verbs on resources of API groups, where `names` is not empty only on those."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str] = frozenset()

    def allows(self, verb: str, group: str, resource: str) -> bool:
        """Return whether it allows a verb on a resource, or subresource `a/b`, as RBAC itself reads it."""
        part = resource.partition("/")[2]
        return (
            bool({verb, "*"} & self.verbs)
            and bool({group, "*"} & self.groups)
            and bool({resource, "*", *([f"*/{part}"] if part else [])} & self.resources)
        )

    @property
    def everything(self) -> bool:
        """Return True if it allows every verb on every resource of every group."""
        return all("*" in part for part in (self.verbs, self.groups, self.resources)) and not self.names


@dataclass(frozen=True, slots=True)
class RbacRole:
    """A Role (with namespace) or ClusterRole (without).

    Its own rules and, if aggregated, its label selectors.
    """

    namespace: str
    name: str
    labels: Mapping[str, str]
    own: tuple[PolicyRule, ...]
    selectors: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """One subject of one binding, with the rules it gets.

    `namespace` is empty where it holds for the whole cluster. `bootstrapped` means that it is labelled as the
    API server's own, which anybody may do who makes bindings.
    """

    kind: str
    namespace: str
    name: str
    role: str
    subject: str
    rules: tuple[PolicyRule, ...]
    bootstrapped: bool = False

    @property
    def ref(self) -> str:
        """Return `ClusterRoleBinding name` or `RoleBinding namespace/name`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def entry(self) -> str:
        """Return the grant as an allow list writes it: `ClusterRoleBinding name -> Group who`."""
        return f"{self.ref} -> {self.subject}"

    @property
    def cluster_wide(self) -> bool:
        """Return True if it holds in every namespace, and for what is in none."""
        return not self.namespace

    @property
    def on_resources(self) -> bool:
        """Return True if it gives a right on any resource, but for asking about oneself."""
        return any(rule.resources - HARMLESS for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Rbac:
    """All of RBAC: every grant, and every role by (namespace, name), bound or not."""

    grants: tuple[Grant, ...]
    roles: Roles


@parsing("a role")
def rbac_role(item: Object) -> RbacRole:
    """Return the facts of a Role or ClusterRole object."""
    meta = metadata_of(item)
    selectors = tuple(
        strings_at(s, "matchLabels")
        for s in mappings_at(mapping_at(item, "aggregationRule"), "clusterRoleSelectors")
    )
    return RbacRole(
        str(meta.get("namespace", "")),
        str(meta["name"]),
        strings_at(meta, "labels"),
        tuple(map(_rule, mappings_at(item, "rules"))),
        selectors,
    )


def _rule(item: Object) -> PolicyRule:
    return PolicyRule(
        *(
            frozenset(map(str, item.get(key) or ()))
            for key in ("verbs", "apiGroups", "resources", "resourceNames")
        )
    )


def grants(kind: str, item: Object, roles: Roles) -> Iterator[Grant]:
    """Yield one Grant per subject of a RoleBinding or ClusterRoleBinding object.

    Its role looked up in `roles`.
    """
    meta, reference = metadata_of(item), mapping_at(item, "roleRef")
    namespace, target = str(meta.get("namespace", "")), str(reference.get("name", ""))
    home = namespace if reference.get("kind") == "Role" else ""
    rules = tuple(resolved(roles, home, target))
    own = strings_at(meta, "labels").get(BOOTSTRAPPING) == "rbac-defaults"
    for subject in mappings_at(item, "subjects"):
        who = _subject(subject, namespace)
        role = f"{reference.get('kind')} {target}"
        yield Grant(kind, namespace, str(meta["name"]), role, who, rules, own)


def _subject(subject: Object, namespace: str) -> str:
    """Return a subject; a user that is a service account is one, however the binding calls it."""
    kind, name = str(subject.get("kind")), str(subject.get("name"))
    if kind == "ServiceAccount":
        return f"{kind} {subject.get('namespace') or namespace}/{name}"
    if kind == "User" and name.startswith(ACCOUNT) and name.count(":") == 3:
        return f"ServiceAccount {name.removeprefix(ACCOUNT).replace(':', '/')}"
    return f"{kind} {name}"


def resolved(roles: Roles, namespace: str, name: str) -> Iterator[PolicyRule]:
    """Yield the rules of a role.

    Its own, and those of every ClusterRole that its aggregation selects, at any depth.
    """
    waiting, seen = [(namespace, name)], set()
    while waiting:
        key = waiting.pop()
        if key in seen or key not in roles:
            continue
        seen.add(key)
        yield from roles[key].own
        waiting += [other for other, candidate in roles.items() if _selects(roles[key].selectors, candidate)]


def _selects(selectors: Sequence[Mapping[str, str]], candidate: RbacRole) -> bool:
    own = candidate.labels.items()
    return not candidate.namespace and any(selector and selector.items() <= own for selector in selectors)


def by_name(items: Iterable[Object]) -> dict[tuple[str, str], RbacRole]:
    """Return Roles and ClusterRoles by (namespace, name); the namespace of a ClusterRole is empty."""
    found = [rbac_role(item) for item in items]
    return {(each.namespace, each.name): each for each in found}
