"""Buckets that a violation plants with the operator's key, on a lab only; removed on the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from assay.backups.postgres_archive import Archive, read_archive
from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import GuardError, ProbeError
from assay.probes.guard import Guard
from assay.probes.s3.client import S3, Client, asking, attempt, connect_s3
from assay.probes.s3.facts import ObjectVersion
from assay.writers.lab import require_lab


PLANTED = "assay-planted-"
NOTES = f"{PLANTED}hidden"
LOOK = [
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:GetBucketVersioning",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectRetention",
]


class S3Writer:
    """What a violation may do to the object storage of a lab."""

    def __init__(self, s3: S3, client: Client) -> None:
        """Write through `client`, the operator; what an earlier, killed plant left is put back first."""
        self._s3, self._client = s3, client
        self._show_again()
        for name in self._names():
            self._remove(name)

    @classmethod
    def from_profile(cls, profile: Profile) -> S3Writer:
        """Return the write side for the lab of `profile`.

        Raises:
            GuardError: the stack is not a lab.
            ProbeError: the profile lacks the operator's key.
        """
        require_lab(profile)
        if profile.s3.operator_key is None:
            raise ProbeError("the profile names no operator's key", "set operator_key under [s3]")
        return cls(
            S3.from_profile(profile),
            connect_s3(profile.s3, profile.s3.operator_key, guard=Guard(Effect.WRITES)),
        )

    @contextmanager
    def bucket(self, name: str, *, lock: bool = True, mode: str = "", days: int = 1) -> Iterator[str]:
        """Yield the name of a new bucket, with a default retention if `mode` is given.

        Every key of the profile may read it. It is emptied and removed on the way out.

        Args:
            name: what follows `assay-planted-`.
            lock: with object lock; without it versioning is off too.
            mode: GOVERNANCE; in COMPLIANCE nothing could be put back.
            days: the default retention.
        """
        if mode == "COMPLIANCE":
            raise GuardError("a planted bucket in compliance mode could not be removed", "plant GOVERNANCE")
        full = f"{PLANTED}{name}"
        try:
            with asking(f"create Bucket {full}"):
                self._client.create_bucket(Bucket=full, ObjectLockEnabledForBucket=lock)
                self._open(full)
            if mode:
                self.retain(full, mode, days)
            yield full
        finally:
            self._remove(full)

    def retain(self, bucket: str, mode: str, days: int) -> None:
        """Give a planted bucket a default retention."""
        rule = {"DefaultRetention": {"Mode": mode, "Days": days}}
        wanted = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        with asking(f"default retention of {bucket}"):
            self._client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=wanted)

    def upload(self, bucket: str, key: str, body: bytes) -> str:
        """Upload to a planted bucket and return the name of the object.

        Raises:
            GuardError: the bucket is not planted, so what is uploaded might stay.
        """
        if not bucket.startswith(PLANTED):
            raise GuardError(f"Bucket {bucket} is not planted: nothing is uploaded", "fix the violation")
        with asking(f"put Object {bucket}/{key}"):
            self._client.put_object(Bucket=bucket, Key=key, Body=body)
        return f"Object {bucket}/{key}"

    @contextmanager
    def allowed(self, bucket: str, user: str, verbs: list[str]) -> Iterator[None]:
        """Let `user` (`*`: all) do `verbs` with a bucket while open; the old policy comes back."""
        with asking(f"policy of {bucket}"):
            before = self._client.get_bucket_policy(Bucket=bucket)["Policy"]
        wider = json.loads(before)
        who = user if user == "*" else f"arn:aws:iam:::user/{user}"
        wider["Statement"].append(_allow({"AWS": [who]}, verbs, bucket))
        try:
            self._policy(bucket, json.dumps(wider))
            yield
        finally:
            self._policy(bucket, before)

    def archive(self, bucket: str) -> Archive:
        """Return the base backups and the log of pgBackRest that a plain listing of a bucket shows."""
        return read_archive(self._s3, "pgbackrest", self.shown(bucket))

    def shown(self, bucket: str) -> list[ObjectVersion]:
        """Return the objects that a plain listing of a bucket shows."""
        return [one for one in self._s3.versions(bucket) if one.shown]

    @contextmanager
    def hidden(self, *versions: ObjectVersion) -> Iterator[str]:
        """Yield the name of the first of some objects that delete markers hide while open.

        What they hold stays, locked or not. What is hidden stands in a bucket of its own before it is, so
        that the next writer shows again what a killed one left.
        """
        with self.bucket("hidden", lock=False):
            for number, one in enumerate(versions):
                note = json.dumps({"bucket": one.bucket, "key": one.key}).encode()
                self.upload(NOTES, f"note-{number}", note)
            try:
                for one in versions:
                    with asking(f"hide {one.ref}"):
                        self._client.delete_object(Bucket=one.bucket, Key=one.key)
                yield versions[0].ref
            finally:
                self._show_again()

    def _show_again(self) -> None:
        if NOTES not in self._names():
            return
        for kept in self._s3.versions(NOTES):
            note = json.loads(self._s3.read(kept))
            for one in self._s3.versions(note["bucket"], note["key"]):
                if one.key == note["key"] and one.marker and one.latest:
                    with asking(f"show {one.ref}"):
                        self._client.delete_object(Bucket=one.bucket, Key=one.key, VersionId=one.id)

    @contextmanager
    def expiring(self, bucket: str, *rules: tuple[int | None, int | None]) -> Iterator[None]:
        """Give a bucket these rules instead of its own while open; the old ones come back.

        Args:
            bucket: its name.
            rules: of each the days until what is current is ended, and until what is not any more is removed.
        """
        before = self._s3_rules(bucket)
        try:
            self._life_cycle(bucket, [_rule(n, *days) for n, days in enumerate(rules, 1)])
            yield
        finally:
            self._life_cycle(bucket, before)

    def _s3_rules(self, bucket: str) -> list[dict[str, Any]]:
        if not self._s3.expiries(bucket):
            return []
        with asking(f"life cycle of {bucket}"):
            rules: list[dict[str, Any]] = self._client.get_bucket_lifecycle_configuration(Bucket=bucket)[
                "Rules"
            ]
        return rules

    def _life_cycle(self, bucket: str, rules: list[dict[str, Any]]) -> None:
        with asking(f"life cycle of {bucket}"):
            if rules:
                wanted = {"Rules": rules}
                self._client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=wanted)
            else:
                self._client.delete_bucket_lifecycle(Bucket=bucket)

    def _policy(self, bucket: str, text: str) -> None:
        with asking(f"policy of {bucket}"):
            self._client.put_bucket_policy(Bucket=bucket, Policy=text)

    def _open(self, bucket: str) -> None:
        statement = _allow({"AWS": ["*"]}, LOOK, bucket)
        self._policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def _names(self) -> list[str]:
        with asking("list of buckets"):
            found = self._client.list_buckets()["Buckets"]
        return [entry["Name"] for entry in found if entry["Name"].startswith(PLANTED)]

    def _remove(self, bucket: str) -> None:
        if bucket not in self._names():
            return
        for one in self._s3.versions(bucket):
            with asking(f"delete {one.ref}"):
                self._client.delete_object(
                    Bucket=bucket, Key=one.key, VersionId=one.id, BypassGovernanceRetention=True
                )
        gone = attempt(f"delete Bucket {bucket}", lambda: self._client.delete_bucket(Bucket=bucket))
        if not gone.admitted:
            raise GuardError(f"Bucket {bucket} is left: {gone.reason}", "remove it with the operator's key")


def _rule(number: int, current: int | None, noncurrent: int | None) -> dict[str, Any]:
    ended = {"Expiration": {"Days": current}} if current is not None else {}
    removed = (
        {"NoncurrentVersionExpiration": {"NoncurrentDays": noncurrent}} if noncurrent is not None else {}
    )
    return {"ID": f"planted-{number}", "Status": "Enabled", "Filter": {"Prefix": ""}, **ended, **removed}


def _allow(who: dict[str, list[str]], verbs: list[str], bucket: str) -> dict[str, Any]:
    places = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return {"Effect": "Allow", "Principal": who, "Action": verbs, "Resource": places}
