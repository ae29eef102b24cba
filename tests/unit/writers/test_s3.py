"""What a violation hides in the object storage is shown again: on the way out, and after a killed plant."""
# ruff: noqa: N803

from __future__ import annotations

import datetime as dt
import io
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from assay.config.profile import S3Access
from assay.probes.s3.client import S3
from assay.writers.s3 import NOTES, S3Writer


NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)


class Store:
    """Buckets with versions, as much of a client as the writer uses; parameters are spelled as boto3 does."""

    def __init__(self) -> None:
        self.buckets: dict[str, list[dict[str, Any]]] = {"b": []}
        self.rules: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.numbers = 0

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in self.buckets]}

    def create_bucket(self, *, Bucket: str, **_: object) -> None:
        self.buckets[Bucket] = []

    def delete_bucket(self, *, Bucket: str) -> None:
        assert not self.buckets.pop(Bucket)

    def put_bucket_policy(self, **_: object) -> None:
        """Let everybody in."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self._add(Bucket, Key, Body)

    def delete_object(self, *, Bucket: str, Key: str, VersionId: str = "", **_: object) -> None:
        if not VersionId:
            self._add(Bucket, Key, None)
        self.buckets[Bucket] = [v for v in self.buckets[Bucket] if v["VersionId"] != VersionId]

    def _add(self, bucket: str, key: str, body: bytes | None) -> None:
        self.numbers += 1
        self.buckets[bucket].insert(0, {"Key": key, "VersionId": str(self.numbers), "Body": body})

    def list_object_versions(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:
        seen: set[str] = set()
        page: dict[str, Any] = {"Versions": [], "DeleteMarkers": []}
        for one in (v for v in self.buckets[Bucket] if v["Key"].startswith(Prefix)):
            kind = "DeleteMarkers" if one["Body"] is None else "Versions"
            about = {"LastModified": NOW, "IsLatest": one["Key"] not in seen, "Size": len(one["Body"] or b"")}
            page[kind].append({**one, **about})
            seen.add(one["Key"])
        return page

    def get_object(self, *, Bucket: str, VersionId: str, **_: object) -> dict[str, Any]:
        (found,) = (v for v in self.buckets[Bucket] if v["VersionId"] == VersionId)
        return {"Body": Body(found["Body"])}

    def get_bucket_lifecycle_configuration(self, *, Bucket: str) -> dict[str, Any]:
        if not self.rules[Bucket]:
            raise ClientError({"Error": {"Code": "NoSuchLifecycleConfiguration"}}, "get")
        return {"Rules": self.rules[Bucket]}

    def put_bucket_lifecycle_configuration(
        self, *, Bucket: str, LifecycleConfiguration: dict[str, Any]
    ) -> None:
        self.rules[Bucket] = LifecycleConfiguration["Rules"]

    def delete_bucket_lifecycle(self, *, Bucket: str) -> None:
        self.rules.pop(Bucket)


class Body(io.BytesIO):
    """Bytes that come in one chunk."""

    def iter_chunks(self, _: int) -> Iterator[bytes]:
        yield self.getvalue()


@pytest.fixture
def store() -> Store:
    made = Store()
    for key in ("backup", "backup.manifest"):
        made.put_object(Bucket="b", Key=key, Body=b"locked")
    made.delete_object(Bucket="b", Key="expired")
    return made


def writer(store: Store) -> S3Writer:
    return S3Writer(S3(S3Access(buckets={"postgres": "b"}), store), store)


def shown(store: Store) -> list[str]:
    return sorted(one.key for one in writer(store).shown("b"))


def test_what_is_hidden_is_shown_again(store: Store) -> None:
    one, s3 = next(v for v in writer(store).shown("b") if v.key == "backup"), writer(store)
    with s3.hidden(one) as ref:
        assert ref == "Object b/backup"
        assert [v.key for v in s3.shown("b")] == ["backup.manifest"]
    assert shown(store) == ["backup", "backup.manifest"]
    assert set(store.buckets) == {"b"}


@pytest.mark.parametrize("after", ["create_bucket", "put_object", "hide"])
def test_a_killed_plant_is_put_back_by_the_next_writer(store: Store, after: str) -> None:
    """Killed after each thing that it changes: what it would still have done is not done."""
    store.create_bucket(Bucket=NOTES)
    if after != "create_bucket":
        store.put_object(Bucket=NOTES, Key="note", Body=b'{"bucket": "b", "key": "backup"}')
    if after == "hide":
        store.delete_object(Bucket="b", Key="backup")
    assert shown(store) == ["backup", "backup.manifest"]
    assert set(store.buckets) == {"b"}
    assert any(v["Key"] == "expired" for v in store.buckets["b"]), "a marker that nobody planted stays"


@pytest.mark.parametrize("before", [[], [{"ID": "kept"}]])
def test_the_old_rules_come_back(store: Store, before: list[dict[str, Any]]) -> None:
    store.rules["b"] = before
    with writer(store).expiring("b", (None, 1), (30, None)):
        first, second = store.rules["b"]
        assert first["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
        assert second["Expiration"] == {"Days": 30}
        assert "Expiration" not in first
    assert store.rules["b"] == before
    with writer(store).expiring("b"):
        assert store.rules["b"] == []
    assert store.rules["b"] == before
