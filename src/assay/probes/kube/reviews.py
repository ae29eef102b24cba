"""What the API server itself says about rights: SubjectAccessReviews, which change nothing."""

from __future__ import annotations

from collections.abc import Mapping

from assay.probes.kube.client import Kube
from assay.probes.kube.escalation import Reason, groups_of
from assay.probes.kube.fields import mapping_at


REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
OF_ONESELF = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SOMEBODY = "assay-somebody"


def confirmed(kube: Kube, subject: str, reason: Reason) -> bool | None:
    """Return whether the API server lets an RBAC subject do what decides `reason`; None: we may not ask.

    Raises:
        ProbeError: an answer other than a review and a refusal.
    """
    answer = kube.wire.ask("POST", REVIEWS, review(subject, reason))
    if answer.status in {401, 403}:
        return None
    found = kube.wire.need(answer, "POST", REVIEWS).body
    return bool(mapping_at(found, "status").get("allowed"))


def review(subject: str, reason: Reason) -> dict[str, object]:
    """Return the review that asks whether a subject has the right that decides `reason`."""
    kind, _, name = subject.partition(" ")
    groups = [group.removeprefix("Group ") for group in groups_of(subject)]
    user = f"system:serviceaccount:{name.replace('/', ':')}" if kind == "ServiceAccount" else name
    if kind == "Group":
        user, groups = SOMEBODY, [name, *groups]
    resource, _, part = reason.right.resource.partition("/")
    wanted = {
        "verb": reason.right.verbs[0],
        "group": reason.right.group,
        "resource": resource,
        "subresource": part,
        "namespace": reason.namespace,
        "name": next(iter(sorted(reason.right.names)), ""),
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": groups, "resourceAttributes": wanted},
    }


def may_i(kube: Kube, attributes: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether the API server would let the suite itself do something.

    Args:
        kube: the cluster.
        attributes: `resourceAttributes` or `nonResourceAttributes` of the review.

    Raises:
        ProbeError: it gives no answer.
    """
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": dict(attributes),
    }
    found = kube.wire.need(kube.wire.ask("POST", OF_ONESELF, body), "POST", OF_ONESELF).body
    return mapping_at(found, "status").get("allowed") is True
