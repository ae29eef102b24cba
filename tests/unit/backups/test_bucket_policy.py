"""Bucket policies: who may weaken a bucket by them."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups.bucket_policy import risky_grants
from assay.errors import AssayError, ProbeError


BUCKET = "arn:aws:s3:::backups"
WRITER = {"AWS": ["arn:aws:iam:::user/writer"]}


def statement(**changed: object) -> dict[str, object]:
    usual = {"Effect": "Allow", "Principal": WRITER, "Action": "s3:PutBucketVersioning", "Resource": BUCKET}
    return {key: value for key, value in {**usual, **changed}.items() if value is not None}


def granted(*statements: object) -> list[str]:
    return [str(one) for one in risky_grants("backups", json.dumps({"Statement": list(statements)}))]


@pytest.mark.parametrize(("changed", "says"), [
    ({}, "lets arn:aws:iam:::user/writer suspend versioning"),
    ({"Action": ["s3:GetObject", "s3:DeleteBucket"]}, "delete the bucket"),
    ({"Action": "s3:*"}, "change the default lock, suspend versioning, delete the bucket"),
    ({"Action": "*", "Resource": "*", "Principal": "*"}, "lets * change the default lock"),
    ({"Action": "S3:PUTBUCKET*"}, "suspend versioning, change this policy"),
    ({"Action": None, "NotAction": "s3:GetObject"}, "change the default lock"),
    ({"Resource": None, "NotResource": "arn:aws:s3:::other"}, "suspend versioning"),
    ({"Principal": None, "NotPrincipal": WRITER}, "lets everybody but arn:aws:iam:::user/writer"),
    ({"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.1"}}}, "suspend versioning"),
])  # fmt: skip
def test_rights_on_the_bucket_itself_are_named(changed: dict[str, object], says: str) -> None:
    (found,) = granted(statement(**changed))
    assert found.startswith("BucketPolicy backups: ")
    assert says in found


@pytest.mark.parametrize("statements", [
    [statement(Resource=f"{BUCKET}/*", Action="*")],
    [statement(Action=["s3:GetBucketVersioning", "s3:PutObject"])],
    [statement(Effect="Deny")],
    [statement(), statement(Effect="Deny", Principal="*")],
    [statement(), statement(Effect="Deny", Principal={"AWS": "*"}, Action="s3:PutBucket*")],
    [],
])  # fmt: skip
def test_rights_on_objects_and_what_is_denied_to_all_are_not(statements: list[object]) -> None:
    assert granted(*statements) == []


def test_a_denial_with_a_condition_or_for_one_takes_nothing_back() -> None:
    conditional = statement(
        Effect="Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}
    )
    assert granted(statement(), conditional)
    assert granted(statement(), statement(Effect="Deny"))


def test_no_policy_grants_nothing_and_a_broken_one_is_an_error() -> None:
    assert risky_grants("backups", "") == []
    for text in ("{", "[]", "3", '"a"'):
        with pytest.raises(ProbeError):
            risky_grants("backups", text)


KEYS = st.sampled_from(["Statement", "Effect", "Principal", "Action", "Resource", "NotAction"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_a_policy_holds_is_read_or_refused(document: object) -> None:
    with contextlib.suppress(AssayError):
        risky_grants("backups", json.dumps({"Statement": document}))
