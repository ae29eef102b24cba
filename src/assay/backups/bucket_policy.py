"""What a bucket's policy lets keys do to the bucket itself: each of these opens it for later losses."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from typing import Any

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.model import Offender


RISKY = {
    "s3:PutBucketObjectLockConfiguration": "change the default lock",
    "s3:PutBucketVersioning": "suspend versioning",
    "s3:DeleteBucket": "delete the bucket",
    "s3:PutBucketPolicy": "change this policy",
    "s3:DeleteBucketPolicy": "remove this policy",
}


@parsing("the bucket's policy")
def risky_grants(bucket: str, policy: str) -> list[Offender]:
    """Return who may weaken or remove the bucket by its policy, one offender per principal.

    What a statement denies to everybody without a condition is not granted. The owner of a bucket needs no
    policy, so nothing is said of it.

    Args:
        bucket: its name.
        policy: the policy as JSON text, empty where there is none.

    Raises:
        ProbeError: not a policy.
    """
    statements = list(_statements(bucket, policy))
    against = [one for one in statements if _denies_all(one)]
    denied = {action for action in RISKY if any(_covers(one, action, bucket) for one in against)}
    found: dict[str, list[str]] = {}
    for one in statements:
        if one.get("Effect") == "Allow":
            given = [RISKY[a] for a in RISKY if a not in denied and _covers(one, a, bucket)]
            for who in _principals(one) if given else ():
                found.setdefault(who, []).extend(given)
    return [
        Offender(f"BucketPolicy {bucket}", f"lets {who} {', '.join(dict.fromkeys(given))}")
        for who, given in sorted(found.items())
    ]


def _statements(bucket: str, policy: str) -> Iterator[Mapping[str, Any]]:
    try:
        document = json.loads(policy) if policy else {}
        written = document.get("Statement", [])
    except (ValueError, AttributeError, RecursionError):
        message = f"policy of {bucket}: not a JSON object"
        raise ProbeError(message, "write the bucket's policy again") from None
    yield from written if isinstance(written, list) else [written]


def _denies_all(one: Mapping[str, Any]) -> bool:
    return one.get("Effect") == "Deny" and not one.get("Condition") and "*" in _principals(one)


def _covers(one: Mapping[str, Any], action: str, bucket: str) -> bool:
    """Return whether a statement speaks of `action` on the bucket itself, not on its objects only."""
    return _speaks(one, "Action", action) and _speaks(one, "Resource", f"arn:aws:s3:::{bucket}")


def _speaks(one: Mapping[str, Any], key: str, what: str) -> bool:
    if f"Not{key}" in one:
        return not _matches(one[f"Not{key}"], what)
    return _matches(one.get(key, []), what)


def _matches(patterns: str | list[str], what: str) -> bool:
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(what.lower(), str(one).lower()) for one in listed)


def _principals(one: Mapping[str, Any]) -> list[str]:
    if "NotPrincipal" in one:
        return [f"everybody but {', '.join(_words(one['NotPrincipal']))}"]
    return _words(one.get("Principal", []))


def _words(principal: object) -> list[str]:
    if isinstance(principal, Mapping):
        return [word for value in principal.values() for word in _words(value)]
    return [str(word) for word in principal] if isinstance(principal, list) else [str(principal)]
