"""Whose rights equal an administrator's: at once, or by acting as an account whose rights do.

A graph over RBAC's subjects, followed until nobody more is found. The rights are data: `rights.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from assay.probes.kube.rbac import Grant, PolicyRule, Rbac, resolved


EVERYTHING = "may do everything"
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
ACCOUNTS = "system:serviceaccounts"
EVERYBODY = frozenset(
    {
        "User system:anonymous",
        *(f"Group {name}" for name in (AUTHENTICATED, UNAUTHENTICATED, ACCOUNTS)),
    }
)
RBAC_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Right:
    """One right as `rights.toml` writes it."""

    verbs: tuple[str, ...]
    resource: str
    group: str
    names: frozenset[str]

    def given_by(self, rule: PolicyRule, *, whole: bool = False) -> Right | None:
        """Return what of it a rule gives, for one verb; `whole`: not if the rule is for some names alone."""
        if rule.names and (whole or (self.names and not rule.names & self.names)):
            return None
        verb = next((verb for verb in self.verbs if rule.allows(verb, self.group, self.resource)), None)
        return replace(self, verbs=(verb,), names=rule.names or self.names) if verb else None


NONE = Right((), "", "", frozenset())


@dataclass(frozen=True, slots=True)
class Ability:
    """What somebody can do who has one right of each of `needs`. See `rights.toml`."""

    means: str
    needs: tuple[tuple[Right, ...], ...]
    whole: bool = False
    pods: bool = False

    def given_by(self, rules: Sequence[PolicyRule], all_rules: Sequence[PolicyRule]) -> Right | None:
        """Return a right by which `rules` give it, None where they do not.

        Where it takes several rights, `all_rules` of the same subject may give the others.
        """
        own = [self._first(rights, rules) for rights in self.needs]
        whole = all(one or self._first(more, all_rules) for one, more in zip(own, self.needs, strict=True))
        return next(filter(None, own), None) if whole else None

    def _first(self, rights: Iterable[Right], rules: Sequence[PolicyRule]) -> Right | None:
        given = (one.given_by(rule, whole=self.whole) for one in rights for rule in rules)
        return next(filter(None, given), None)


@dataclass(frozen=True, slots=True)
class KnownRights:
    """The content of `rights.toml`: powers, what reaches accounts, Kubernetes' own grants and powers."""

    powers: tuple[Ability, ...]
    reaches: tuple[Ability, ...]
    own: frozenset[str]
    own_powers: Mapping[str, frozenset[str]]


@cache
def known_rights() -> KnownRights:
    """Return the content of `rights.toml`."""
    rows = tomllib.loads(Path(__file__).with_name("rights.toml").read_text(encoding="utf-8"))
    own = rows["kubernetes"]
    controllers = (
        f"ClusterRoleBinding system:controller:{name} -> ServiceAccount kube-system/{name}"
        for name in own["controllers"]
    )
    return KnownRights(
        tuple(map(_ability, rows["powers"])),
        tuple(map(_ability, rows["reaches"])),
        frozenset([*own["grants"], *controllers]),
        {subject: frozenset(powers) for subject, powers in own["powers"].items()},
    )


def _ability(row: Mapping[str, Any]) -> Ability:
    needs = tuple(tuple(map(_right, rights)) for rights in row["needs"])
    return Ability(row["means"], needs, row.get("whole", False), row.get("pods", False))


def _right(text: str) -> Right:
    verbs, what, *names = text.split()
    resource, _, group = what.partition(".")
    return Right(tuple(verbs.split("|")), resource, group, frozenset(names))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a grant makes an administrator: in words, and the right that decides, where it holds."""

    text: str
    right: Right
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Escalation:
    """A grant by which its subject can become administrator, and every reason why."""

    grant: Grant
    reasons: tuple[Reason, ...]

    @property
    def why(self) -> str:
        """Return the reasons in words."""
        return "; ".join(dict.fromkeys(reason.text for reason in self.reasons))

    @property
    def ref(self) -> str:
        """Return the binding, as `Kind namespace/name`."""
        return self.grant.ref


class RightsGraph:
    """Who equals an administrator, and by which grants.

    Args:
        rbac: every grant and role.
        privileged: whether privileged pods may run in a namespace: who starts pods in it has its nodes.
    """

    def __init__(self, rbac: Rbac, privileged: Callable[[str], bool]) -> None:
        """Follow the rights until nobody more is found."""
        self.rbac, self.known, self._privileged = rbac, known_rights(), privileged
        self._held: dict[str, list[Grant]] = {}
        for grant in rbac.grants:
            self._held.setdefault(grant.subject, []).append(grant)
        self.strong: dict[str, str] = {}
        while self._found_more():
            pass

    def escalations(self) -> list[Escalation]:
        """Return the grants by which somebody equals an administrator.

        Kubernetes' own are among them only if they give a power that does not come with them.
        """
        found = []
        for grant in self.rbac.grants:
            reasons = tuple(self._reasons(grant))
            if self.is_own(grant):
                known = self.known.own_powers.get(grant.subject, frozenset())
                reasons = tuple(one for one in reasons if one.text in self._direct() - known)
            if reasons:
                found.append(Escalation(grant, reasons))
        return found

    def to_everybody(self) -> list[Grant]:
        """Return the grants of rights on resources to everybody, but for Kubernetes' own."""
        return [
            grant
            for grant in self.rbac.grants
            if grant.subject in EVERYBODY and grant.on_resources and not self.is_own(grant)
        ]

    def is_own(self, grant: Grant) -> bool:
        """Return whether Kubernetes itself made a grant: so labelled, and known to come with it."""
        return grant.bootstrapped and grant.entry in self.known.own

    def _direct(self) -> frozenset[str]:
        return frozenset([EVERYTHING, *(power.means for power in self.known.powers)])

    def _found_more(self) -> bool:
        new = {
            subject: reason.text
            for subject, held in self._held.items()
            if subject not in self.strong
            for grant in held
            for reason in list(self._reasons(grant))[:1]
        }
        self.strong |= new
        return bool(new)

    def _reasons(self, grant: Grant) -> Iterator[Reason]:
        """Yield why a grant makes its subject an administrator: powers first, then whom it reaches."""
        rules = self._all_rules(grant)
        if grant.cluster_wide:
            if any(rule.everything for rule in grant.rules):
                yield Reason(EVERYTHING, Right(("*",), "*", "*", frozenset()))
                return
            for power in self.known.powers:
                if right := power.given_by(grant.rules, rules[""]):
                    yield Reason(power.means, right)
        yield from self._named(grant)
        for reach in self.known.reaches:
            right = reach.given_by(grant.rules, [*rules[""], *rules.get(grant.namespace, ())])
            for text in self._reached(grant, reach) if right else ():
                yield Reason(text, right or NONE, grant.namespace)

    def _all_rules(self, grant: Grant) -> dict[str, list[PolicyRule]]:
        """Return every rule that a grant's subject has, by namespace, those of its groups included."""
        found: dict[str, list[PolicyRule]] = {"": []}
        for subject in (grant.subject, *groups_of(grant.subject)):
            for held in self._held.get(subject, ()):
                found.setdefault(held.namespace, []).extend(held.rules)
        return found

    def _named(self, grant: Grant) -> Iterator[Reason]:
        """Yield what rules for some names give: roles that may be bound, people and groups to act as."""
        for rule in grant.rules:
            bindable = any(rule.allows("bind", RBAC_GROUP, kind) for kind in ("roles", "clusterroles"))
            for name in sorted(rule.names) if bindable else ():
                yield from self._bound(grant, name)
            for kind, resource in (("User", "users"), ("Group", "groups")) if grant.cluster_wide else ():
                for verb in ("impersonate", "impersonate:user-info"):
                    for name in sorted(rule.names) if rule.allows(verb, "", resource) else ():
                        other = account_of(f"{kind} {name}")
                        if other != grant.subject and other in self.strong:
                            right = Right((verb,), resource, "", frozenset({name}))
                            yield Reason(f"may act as {other}, which {self.strong[other]}", right)

    def _bound(self, grant: Grant, name: str) -> Iterator[Reason]:
        """Yield what a grant gives that lets its subject bind the role called `name` where it holds."""
        right = Right(("bind",), "clusterroles", RBAC_GROUP, frozenset({name}))
        rules = list(resolved(self.rbac.roles, "", name))
        powers = [power for power in self.known.powers if power.given_by(rules, rules)]
        if grant.cluster_wide and (powers or any(rule.everything for rule in rules)):
            yield Reason(f"may bind role {name}", right)
        for reach in self.known.reaches if name not in {"", grant.role.partition(" ")[2]} else ():
            if reach.given_by(rules, rules):
                for text in self._reached(replace(grant, rules=tuple(rules)), reach):
                    yield Reason(f"may bind role {name}, and then {text}", right, grant.namespace)

    def _reached(self, grant: Grant, reach: Ability) -> Iterator[str]:
        """Yield whom a grant reaches: the first strong account where it holds, or the namespace's nodes."""
        where = f"in {grant.namespace}" if grant.namespace else "in every namespace"
        names = self._names(grant, reach)
        for other in sorted(self.strong):
            if other != grant.subject and self._lives_in(other, grant.namespace) and _is_named(other, names):
                yield f"{reach.means} {where}, as {other}, which {self.strong[other]}"
                return
        if reach.pods and (not grant.namespace or self._privileged(grant.namespace)):
            yield f"{reach.means} {where}, where they may be privileged"

    def _names(self, grant: Grant, reach: Ability) -> frozenset[str]:
        """Return the accounts that a right is restricted to, none where some rule is not."""
        rights = [right for need in reach.needs for right in need]
        rules = [rule for rule in grant.rules if any(right.given_by(rule) for right in rights)]
        accounts = any("serviceaccounts" in right.resource for right in rights)
        if not accounts or any(not rule.names for rule in rules):
            return frozenset()
        return frozenset(name for rule in rules for name in rule.names)

    def _lives_in(self, subject: str, namespace: str) -> bool:
        """Return whether a subject is an account, or a group of accounts, of a namespace (empty: any)."""
        kind, _, name = subject.partition(" ")
        if kind == "ServiceAccount":
            return not namespace or name.startswith(f"{namespace}/")
        if kind != "Group" or not name.startswith(ACCOUNTS):
            return False
        return not namespace or name in {ACCOUNTS, f"{ACCOUNTS}:{namespace}"}


def _is_named(subject: str, names: frozenset[str]) -> bool:
    return not names or subject.startswith("Group ") or subject.rpartition("/")[2] in names


def groups_of(subject: str) -> tuple[str, ...]:
    """Return the groups that Kubernetes itself puts a subject in, as RBAC writes them."""
    kind, _, name = subject.partition(" ")
    if subject in {"User system:anonymous", f"Group {UNAUTHENTICATED}"}:
        return (f"Group {UNAUTHENTICATED}",) * (kind == "User")
    everybody = (f"Group {AUTHENTICATED}",) * (name != AUTHENTICATED)
    if kind == "ServiceAccount":
        return (f"Group {ACCOUNTS}", f"Group {ACCOUNTS}:{name.partition('/')[0]}", *everybody)
    if kind == "Group" and name.startswith(f"{ACCOUNTS}:"):
        return (f"Group {ACCOUNTS}", *everybody)
    return everybody


def account_of(subject: str) -> str:
    """Return the service account that a user stands for, else the subject itself."""
    name = subject.removeprefix("User system:serviceaccount:")
    return f"ServiceAccount {name.replace(':', '/')}" if name != subject and ":" in name else subject
