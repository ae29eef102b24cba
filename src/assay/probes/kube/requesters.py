"""Who may bring an image in: every account that RBAC lets make or change what runs, asked in its name.

By impersonation, in dry runs. A right that the suite does not have is said, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from assay.model import Attempt
from assay.probes.kube.changes import ImageChange
from assay.probes.kube.dry_run import DRY, DryRunKube
from assay.probes.kube.gate import AdmissionPair
from assay.probes.kube.paths import collection_of, plural
from assay.probes.kube.rbac import Grant, PolicyRule
from assay.probes.kube.shapes import KINDS, AdmissionTrial
from assay.probes.kube.wire import JSON, STRATEGIC, Wire


SOMEBODY = "assay-requester"
GROUPS = {"Pod": "", "CronJob": "batch", "Job": "batch"}


@dataclass(frozen=True, slots=True)
class Requester:
    """One account to ask as: an RBAC subject, and where its rights hold (empty: in every namespace)."""

    kind: str
    name: str
    namespace: str = ""

    @property
    def ref(self) -> str:
        """Return the subject as RBAC writes it, `Kind name`."""
        return f"{self.kind} {self.name}"

    @property
    def headers(self) -> dict[str, str]:
        """Return what makes the API server take a request for this account's."""
        if self.kind == "Group":
            return {"Impersonate-User": SOMEBODY, "Impersonate-Group": self.name}
        user = (
            f"system:serviceaccount:{self.name.replace('/', ':')}"
            if self.kind == "ServiceAccount"
            else self.name
        )
        return {"Impersonate-User": user}

    def wire(self, wire: Wire) -> Wire:
        """Return the same connection, used in this account's name."""

        def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
            return wire.send(method, path, {**headers, **self.headers}, body)

        return replace(wire, send=send)


@dataclass(frozen=True, slots=True)
class Untried:
    """A request that could not be made in somebody's name, and the API server's words."""

    ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageRights:
    """What one account may do with images.

    `makes` are the kinds of objects that it may make, `changes` those that it may change, kind -> verb.
    """

    requester: Requester
    makes: tuple[str, ...]
    changes: Mapping[str, str]


def image_rights(grants: Iterable[Grant]) -> list[ImageRights]:
    """Return everybody whom RBAC lets make or change pods or what makes them, in the order of their names."""
    by_subject: dict[Requester, list[PolicyRule]] = {}
    for grant in grants:
        kind, _, name = grant.subject.partition(" ")
        by_subject.setdefault(Requester(kind, name, grant.namespace), []).extend(grant.rules)
    found = (
        ImageRights(who, tuple(_allowed(rules, "create")), _changes(rules))
        for who, rules in by_subject.items()
    )
    return sorted(
        (rights for rights in found if rights.makes or rights.changes),
        key=lambda rights: (rights.requester.ref, rights.requester.namespace),
    )


def rights_of_editor(requester: Requester) -> ImageRights:
    """Return what an account with role `edit` may do."""
    return ImageRights(requester, KINDS, dict.fromkeys(KINDS, "patch"))


def _changes(rules: Sequence[PolicyRule]) -> dict[str, str]:
    return {kind: verb for verb in ("update", "patch") for kind in _allowed(rules, verb)}


def _allowed(rules: Sequence[PolicyRule], verb: str) -> Iterator[str]:
    for kind in KINDS:
        group = GROUPS.get(kind, "apps")
        if any(not rule.names and rule.allows(verb, group, plural(kind)) for rule in rules):
            yield kind


Request = tuple[Requester, str, str, str, str, object, str]


def requester_pairs(
    kube: DryRunKube,
    rights: Iterable[ImageRights],
    namespace: str,
    bad: str,
    sound: str,
    fixed: Collection[str],
) -> tuple[list[AdmissionPair], list[Untried]]:
    """Return a pair per account, API server and act (make, change), and what could not be tried.

    An account takes another kind of object at each API server. What it may only do in one namespace of its
    own is tried there, as far as nothing has to exist for it; `namespace` holds the standing objects. The
    images of the `fixed` kinds cannot be changed.
    """
    standing = cache(lambda kind: kube.wire.get(ImageChange(kind, "container", "", "").path(namespace)))
    asked: list[Request] = []
    for held in rights:
        for n, server in enumerate(kube.apiservers):
            asked += _to_make(held, server, n, held.requester.namespace or namespace, bad, sound)
            if held.requester.namespace in {"", namespace}:
                asked += _to_change(held, server, n, namespace, bad, sound, fixed, standing)
    answers = kube.together([partial(_answer, kube, *request) for request in asked])
    pairs, untried = [], []
    for attempt, baseline in zip(answers[::2], answers[1::2], strict=True):
        if isinstance(attempt, Attempt) and isinstance(baseline, Attempt):
            pairs.append(AdmissionPair(attempt, baseline))
        else:
            untried += [one for one in (attempt, baseline) if isinstance(one, Untried)][:1]
    return pairs, untried


def _to_make(
    held: ImageRights, server: str, n: int, namespace: str, bad: str, sound: str
) -> Iterator[Request]:
    """Yield the request to make an object with the bad image, and its baseline."""
    if held.makes:
        trial = AdmissionTrial(held.makes[n % len(held.makes)], "container", "unsigned", bad, sound)
        for each in (trial, trial.baseline):
            ref = f"{each.kind} {each.place} {each.variant} by {held.requester.ref} at {server}"
            body = each.manifest(namespace)
            yield held.requester, server, ref, "POST", collection_of(body), body, JSON


def _to_change(
    held: ImageRights, server: str, n: int, namespace: str, bad: str, sound: str, fixed: Collection[str],
    standing: Callable[[str], Mapping[str, object]],
) -> Iterator[Request]:  # fmt: skip
    """Yield the request to change an object to the bad image, and its baseline."""
    kinds = [kind for kind in held.changes if kind not in fixed]
    if kinds:
        change = ImageChange(kinds[n % len(kinds)], "container", "unsigned", bad)
        for each in (change, change.to("signed", sound)):
            ref, path = f"{each.what} by {held.requester.ref} at {server}", each.path(namespace)
            if held.changes[each.kind] == "patch":
                yield held.requester, server, ref, "PATCH", path, each.patch(), STRATEGIC
            else:
                yield held.requester, server, ref, "PUT", path, each.applied(standing(each.kind)), JSON


def _answer(
    kube: DryRunKube,
    who: Requester,
    server: str,
    ref: str,
    method: str,
    path: str,
    body: object,
    content: str,
) -> Attempt | Untried:
    answer = who.wire(kube.at(server)).ask(method, f"{path}{DRY}", body, content)
    denied = answer.status == 403 and " cannot " in answer.reason and "in API group" in answer.reason
    if denied or answer.status in {401, 404, 409, 410, 429} or answer.status >= 500:
        return Untried(ref, answer.reason)
    return Attempt(ref, answer.ok, "" if answer.ok else answer.reason)
