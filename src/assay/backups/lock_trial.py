"""What a key is refused, tried on objects of the suite's own, each beside a twin that must get through.

The objects are called canaries: a few bytes below `assay-canary/`, locked for a day at most. An attempt that
gets through against expectation is put right at once.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import ProbeError
from assay.model import Attempt, Effect
from assay.probes.guard import Guard
from assay.probes.s3.client import S3, Client, asking, attempt, connect
from assay.probes.s3.facts import CANARIES, COMPLIANCE, Hold, Lock, ObjectVersion


DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
BYPASS = {"BypassGovernanceRetention": True}
TICK = 1.1  # seconds; some stores give times in whole seconds


@dataclass(frozen=True, slots=True)
class LockAttempt:
    """An attempt that has to be refused, and its twin that has to get through."""

    attempt: Attempt
    baseline: Attempt

    def layer(self, layers: Iterable[str]) -> str:
        """Return the one of `layers` that the refusal names; else the first, which it then does not name."""
        known = list(layers)
        return next((one for one in known if one.lower() in self.attempt.reason.lower()), known[0])


class LockTrial:
    """One key, tried on one bucket with canaries of its own."""

    def __init__(self, s3: S3, who: str, key: Path, lock: Lock, *, owns: bool = False) -> None:
        """Act as `who`, whose key file is `key`, on the bucket of `lock`; `owns`: the bucket is his."""
        self._s3, self.who, self.bucket, self._lock, self.owns = s3, who, lock.bucket, lock, owns
        self._client: Client = connect(s3.access, key, guard=Guard(Effect.WRITES))
        self.prefix = f"{CANARIES}{secrets.token_hex(4)}/"

    def canary(self, name: str, body: bytes) -> ObjectVersion:
        """Return the version made by uploading `body`, locked by the bucket's default, for one day at most.

        Raises:
            ProbeError: refused, or not seen by the reader.
        """
        more: dict[str, Any] = {}
        if self._lock.enabled and (self._lock.days or 0) > 1:
            until = dt.datetime.now(dt.UTC) + DAY
            more = {"ObjectLockMode": COMPLIANCE, "ObjectLockRetainUntilDate": until}
        key = f"{self.prefix}{name}"
        with asking(f"put Object {self.bucket}/{key} as {self.who}"):
            made = self._client.put_object(Bucket=self.bucket, Key=key, Body=body, **more)
        id_ = made.get("VersionId", "null")
        for one in self._s3.versions(self.bucket, key):
            if one.id == id_:
                return one
        raise ProbeError(f"Object {self.bucket}/{key}: uploaded and not listed", "ask again")

    def mark(self, key: str) -> str:
        """Put a delete marker on `key` and return the marker's version id."""
        with asking(f"delete Object {self.bucket}/{key} as {self.who}"):
            return str(self._client.delete_object(Bucket=self.bucket, Key=key).get("VersionId", "null"))

    # attempts on one version ------------------------------------------------------------------------

    def by_lock(self, canary: ObjectVersion) -> list[LockAttempt]:
        """Return every way to lose the version, beside its twin. The lock alone has to refuse these."""
        hold = self._s3.hold(canary)
        pairs = []
        if hold.mode:  # what is not held cannot be shortened, and must not be locked by the twin
            pairs = [
                self._retention("shorten retention", hold, hold.mode, HOUR),
                self._retention("shorten retention with bypass", hold, hold.mode, HOUR, **BYPASS),
                self._retention("weaken to governance", hold, "GOVERNANCE", 2 * DAY),
            ]
        if self.owns and self._lock.enabled:
            pairs.append(
                LockAttempt(
                    self._suspend(), self._try("enable versioning", lambda: self._versioning("Enabled"))
                )
            )
        pairs.append(self._removal("delete version", canary))
        pairs.append(self._removal("delete version with bypass", canary, **BYPASS))
        return pairs

    def _removal(self, what: str, canary: ObjectVersion, **more: bool) -> LockAttempt:
        """The twin deletes a marker's version: same verb, same key, nothing that is locked."""
        marker = self.mark(canary.key)
        baseline = self._try(f"{what} of a marker", self._delete(canary.key, marker, more))
        return LockAttempt(self._try(what, self._delete(canary.key, canary.id, more)), baseline)

    def _delete(self, key: str, version: str, more: dict[str, bool]) -> Callable[[], object]:
        return lambda: self._client.delete_object(Bucket=self.bucket, Key=key, VersionId=version, **more)

    def _retention(
        self, what: str, hold: Hold, mode: str, lasting: dt.timedelta, **more: bool
    ) -> LockAttempt:
        """The twin makes the retention one second longer."""
        now = dt.datetime.now(dt.UTC)
        longer = (self._s3.hold(hold.version).until or now + HOUR) + SECOND
        baseline = self._try("lengthen retention", self._retain(hold.version, hold.mode, longer, more))
        return LockAttempt(self._try(what, self._retain(hold.version, mode, now + lasting, more)), baseline)

    def _retain(
        self, canary: ObjectVersion, mode: str, until: dt.datetime, more: dict[str, bool]
    ) -> Callable[[], object]:
        place = {"Bucket": canary.bucket, "Key": canary.key, "VersionId": canary.id}
        wanted = {"Mode": mode, "RetainUntilDate": until}
        return lambda: self._client.put_object_retention(**place, Retention=wanted, **more)

    # attempts on the bucket ---------------------------------------------------------------------------

    def by_right(self) -> list[LockAttempt]:
        """Return every way to open the bucket for later losses or to reach another one, beside a read.

        Only for a key that does not own the bucket, which must hold a canary: what is not empty cannot be
        deleted even by one who may.
        """
        if self.owns:
            return []
        place = {"Bucket": self.bucket}
        seen = self._try("read versioning", lambda: self._client.get_bucket_versioning(**place))
        rule = self._try("read lock", lambda: self._client.get_object_lock_configuration(**place))
        listed = self._list(self.bucket)
        pairs = [
            LockAttempt(self._suspend(), seen),
            LockAttempt(self._drop_default(), rule),
            LockAttempt(self._delete_bucket(), listed),
        ]
        others = (name for name in self._s3.buckets.values() if name != self.bucket)
        return [*pairs, *(LockAttempt(self._list(name), listed) for name in others)]

    def _list(self, bucket: str) -> Attempt:
        ref = f"list Bucket {bucket} as {self.who}"
        return attempt(ref, lambda: self._client.list_objects_v2(Bucket=bucket, MaxKeys=1))

    def read_only(self) -> list[LockAttempt]:
        """Return what a key that only reads is refused: to upload and to delete."""
        listed, key = self._list(self.bucket), f"{self.prefix}written"
        put = self._try("upload", lambda: self._client.put_object(Bucket=self.bucket, Key=key, Body=b""))
        delete = self._try("delete", lambda: self._client.delete_object(Bucket=self.bucket, Key=key))
        return [LockAttempt(put, listed), LockAttempt(delete, listed)]

    def _suspend(self) -> Attempt:
        tried = self._try("suspend versioning", lambda: self._versioning("Suspended"))
        if tried.admitted and self._lock.versioning == "Enabled":
            self._versioning("Enabled")
        return tried

    def _versioning(self, status: str) -> object:
        wanted = {"Status": status}
        return self._client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration=wanted)

    def _drop_default(self) -> Attempt:
        tried = self._try("drop default retention", lambda: self._configure({}))
        if tried.admitted and self._lock.days is not None:
            default = {"Mode": self._lock.mode, "Days": self._lock.days}
            self._configure({"Rule": {"DefaultRetention": default}})
        return tried

    def _configure(self, rule: dict[str, Any]) -> object:
        return self._client.put_object_lock_configuration(
            Bucket=self.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule}
        )

    def _delete_bucket(self) -> Attempt:
        tried = self._try("delete bucket", lambda: self._client.delete_bucket(Bucket=self.bucket))
        # Whoever may delete it is refused only as long as something lies in it.
        return replace(tried, admitted=True) if "NotEmpty" in tried.reason else tried

    def _try(self, what: str, act: Callable[[], object]) -> Attempt:
        return attempt(f"{what} in Bucket {self.bucket} as {self.who}", act)

    # all of it, in the way of one who holds the files to ransom -----------------------------------------

    def ransom(self, names: Iterable[str]) -> Ransom:
        """Upload one object per name, then overwrite and delete-mark each with the same key.

        Returns:
            what there was, and the moment at which it still was.
        """
        before = {f"{self.prefix}{name}": secrets.token_bytes(64) for name in names}
        made = [self.canary(key.removeprefix(self.prefix), body) for key, body in before.items()]
        time.sleep(TICK)
        for key in before:
            self.canary(key.removeprefix(self.prefix), b"overwritten")
            self.mark(key)
        return Ransom(self.bucket, self.prefix, max(one.modified for one in made), before)


@dataclass(frozen=True, slots=True)
class Ransom:
    """Objects as they were at `moment`, before they were overwritten and marked as deleted."""

    bucket: str
    prefix: str
    moment: dt.datetime
    before: dict[str, bytes]

    def lost(self, s3: S3) -> list[str]:
        """Return the objects that the versions as of the moment do not give back, byte for byte."""
        then = {one.key: one for one in s3.as_of(self.bucket, self.moment, self.prefix)}
        return [
            f"Object {self.bucket}/{key}"
            for key, body in self.before.items()
            if key not in then or s3.read(then[key]) != body
        ]


def lock_trials(s3: S3, lock: Lock) -> list[LockTrial]:
    """Return a trial for each key that writes to the bucket: its writer's and, where given, the owner's.

    A bucket nobody declared has no writer that is known.

    Raises:
        ProbeError: a declared bucket has no writer's key.
    """
    access = s3.access
    purposes = [purpose for purpose, bucket in access.buckets.items() if bucket == lock.bucket]
    if absent := [purpose for purpose in purposes if purpose not in access.writer_keys]:
        raise ProbeError(f"no writer's key for {', '.join(absent)}", "set writer_keys under [s3]")
    found = [LockTrial(s3, f"the {one} writer", access.writer_keys[one], lock) for one in purposes]
    if access.operator_key is not None:
        found.append(LockTrial(s3, "the operator", access.operator_key, lock, owns=True))
    return found


def reader(s3: S3, lock: Lock) -> LockTrial:
    """Return a trial for the reader's key.

    Raises:
        ProbeError: the profile gives none.
    """
    if s3.access.reader_key is None:
        raise ProbeError("the profile names no reader's key", "set reader_key under [s3]")
    return LockTrial(s3, "the reader", s3.access.reader_key, lock)
