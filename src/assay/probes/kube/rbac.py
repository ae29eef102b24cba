"""Who may do what: bindings with their rules resolved, aggregated ClusterRoles included.

Also which rights equal admin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay.formats.parsing import parsing
from assay.probes.kube.fields import Object, mapping_at, mappings_at, metadata_of, strings_at


EVERYBODY = frozenset(
    {"system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"}
)
HARMLESS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})
RISING = {"escalate": {"roles", "clusterroles"}, "bind": {"roles", "clusterroles"},
          "impersonate": {"users", "groups", "serviceaccounts", "uids", "userextras"}}  # fmt: skip
Roles = Mapping[tuple[str, str], "RbacRole"]


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule of a role: verbs on resources of API groups."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]

    def powers(self) -> Iterator[str]:
        """Yield every power in this rule that equals admin.

        Everything, or rising (escalate, bind, impersonate).
        """
        if "*" in self.verbs and "*" in self.resources and "*" in self.groups:
            yield "every verb on every resource"
            return
        for verb, targets in RISING.items():
            if (
                {verb, "*"} & self.verbs
                and self.resources & (targets | {"*"})
                and self._of_rising_group(verb)
            ):
                yield verb

    def _of_rising_group(self, verb: str) -> bool:
        homes = {"", "authentication.k8s.io"} if verb == "impersonate" else {"rbac.authorization.k8s.io"}
        return verb in self.verbs or bool(self.groups & (homes | {"*"}))


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

    `namespace` is empty where it holds for the whole cluster.
    """

    kind: str
    namespace: str
    name: str
    role: str
    subject: str
    rules: tuple[PolicyRule, ...]

    @property
    def ref(self) -> str:
        """Return `ClusterRoleBinding name` or `RoleBinding namespace/name`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def entry(self) -> str:
        """Return the grant as an allow list writes it: `ClusterRoleBinding name -> Group who`."""
        return f"{self.ref} -> {self.subject}"

    @property
    def to_everybody(self) -> bool:
        """Return True if the subject is a group that anybody, or any pod, is in, or the anonymous user."""
        return self.subject.partition(" ")[2] in EVERYBODY

    @property
    def powers(self) -> tuple[str, ...]:
        """Return the powers that equal admin, in words; empty for an ordinary grant."""
        found = {"cluster-admin"} if self.role == "ClusterRole cluster-admin" else set()
        found |= {power for rule in self.rules for power in rule.powers()}
        if self.to_everybody and any(rule.resources - HARMLESS for rule in self.rules):
            found.add(f"rights on resources for {self.subject}")
        return tuple(sorted(found))


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
        *(frozenset(map(str, item.get(key) or ())) for key in ("verbs", "apiGroups", "resources"))
    )


def grants(kind: str, item: Object, roles: Roles) -> Iterator[Grant]:
    """Yield one Grant per subject of a RoleBinding or ClusterRoleBinding object.

    Its role looked up in `roles`.
    """
    meta, reference = metadata_of(item), mapping_at(item, "roleRef")
    namespace, target = str(meta.get("namespace", "")), str(reference.get("name", ""))
    home = namespace if reference.get("kind") == "Role" else ""
    rules = tuple(resolved(roles, home, target))
    for subject in mappings_at(item, "subjects"):
        who = f"{subject.get('kind')} {_subject(subject, namespace)}"
        yield Grant(kind, namespace, str(meta["name"]), f"{reference.get('kind')} {target}", who, rules)


def _subject(subject: Object, namespace: str) -> str:
    if subject.get("kind") == "ServiceAccount":
        return f"{subject.get('namespace') or namespace}/{subject.get('name')}"
    return str(subject.get("name"))


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
