"""What a key is refused, tried on objects of the suite's own, each beside a request that must be admitted.

The objects are called canaries: a few bytes below `assay-canary/`, locked for a day at most. An attempt on a
bucket's settings that is admitted against expectation is put right at once; how they were is on disk before.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import ProbeError
from assay.model import Attempt
from assay.probes.guard import Guard
from assay.probes.s3.client import S3, Client, asking, attempt, connect_s3
from assay.probes.s3.facts import CANARIES, COMPLIANCE, Hold, Lock, ObjectVersion
from assay.writers.bucket_journal import BucketJournal
from assay.writers.lab import require_lab


DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
BYPASS = {"BypassGovernanceRetention": True}
CLOCK_TICK_S = 1.1  # some stores give times in whole seconds
NAMES = ("base", "log")


@dataclass(frozen=True, slots=True)
class LockAttempt:
    """An attempt that must be refused, and its baseline request that must be admitted.

    `locked` says that the lock alone has to refuse it; else the key's rights may, too.
    """

    attempt: Attempt
    baseline: Attempt
    locked: bool = True

    def layer(self, by_lock: Sequence[str], by_right: Sequence[str]) -> str:
        """Return the words that the refusal must name and does; else the first, which it does not name."""
        words = [*by_lock] if self.locked else [*by_right, *by_lock]
        return next((one for one in words if one.lower() in self.attempt.reason.lower()), words[0])


@dataclass(frozen=True, slots=True)
class TriedKey:
    """A key that attempts are made with: whose it is, its file, whether it owns the bucket or only reads."""

    who: str
    file: Path
    owns: bool = False
    reads: bool = False


class LockTrial:
    """One key, tried on one bucket with canaries of its own."""

    def __init__(self, s3: S3, key: TriedKey, lock: Lock, journal: BucketJournal, client: Client) -> None:
        """Act through `client` with `key` on the bucket of `lock`."""
        self._s3, self._key, self._lock, self._journal, self._client = s3, key, lock, journal, client
        self.bucket, self.prefix = lock.bucket, f"{CANARIES}{secrets.token_hex(4)}/"

    def attempts(self) -> list[LockAttempt]:
        """Return every way in which the key could lose what is locked, tried now."""
        if self._key.reads:
            return self._of_a_reader()
        canary = self._canary("locked", b"canary")
        return [*self._on_version(canary), *self._on_bucket()]

    def lost(self) -> list[str]:
        """Return the objects that cannot be had back as they were before the key overwrote and deleted them.

        That is what somebody does who holds the files to ransom.
        """
        if self._key.reads:
            return []
        before = {f"{self.prefix}{name}": secrets.token_bytes(64) for name in NAMES}
        made = [self._canary(key.removeprefix(self.prefix), body) for key, body in before.items()]
        time.sleep(CLOCK_TICK_S)
        for key in before:
            self._canary(key.removeprefix(self.prefix), b"overwritten")
            self._mark(key)
        moment = max(one.modified for one in made)
        then = {one.key: one for one in self._s3.as_of(self.bucket, moment, self.prefix)}
        return [
            f"Object {self.bucket}/{key}"
            for key, body in before.items()
            if key not in then or self._s3.read(then[key]) != body
        ]

    def _canary(self, name: str, body: bytes) -> ObjectVersion:
        """Return the version made by uploading `body`, locked by the bucket's default, for one day at most.

        Raises:
            ProbeError: refused, or not seen by the reader.
        """
        more: dict[str, Any] = {}
        if self._lock.enabled and (self._lock.days or 0) > 1:
            until = dt.datetime.now(dt.UTC) + DAY
            more = {"ObjectLockMode": COMPLIANCE, "ObjectLockRetainUntilDate": until}
        key = f"{self.prefix}{name}"
        with asking(f"put Object {self.bucket}/{key} as {self._key.who}"):
            made = self._client.put_object(Bucket=self.bucket, Key=key, Body=body, **more)
        id_ = made.get("VersionId", "null")
        for one in self._s3.each_version(self.bucket, key):
            if one.id == id_:
                return one
        raise ProbeError(f"Object {self.bucket}/{key}: uploaded and not listed", "ask again")

    def _mark(self, key: str) -> str:
        with asking(f"delete Object {self.bucket}/{key} as {self._key.who}"):
            return str(self._client.delete_object(Bucket=self.bucket, Key=key).get("VersionId", "null"))

    # attempts on one version ------------------------------------------------------------------------

    def _on_version(self, canary: ObjectVersion) -> Iterator[LockAttempt]:
        hold = self._s3.hold(canary)
        if hold.mode:  # what is not held cannot be shortened, and must not be locked by the baseline request
            yield self._retention("shorten retention", hold, hold.mode, HOUR)
            yield self._retention("shorten retention with bypass", hold, hold.mode, HOUR, **BYPASS)
            yield self._retention("weaken to governance", hold, "GOVERNANCE", 2 * DAY)
        yield self._removal("delete version", canary)
        yield self._removal("delete version with bypass", canary, **BYPASS)

    def _removal(self, what: str, canary: ObjectVersion, **more: bool) -> LockAttempt:
        """The baseline deletes a marker's version: same verb, same key, nothing that is locked."""
        marker = self._mark(canary.key)
        baseline = self._try(f"{what} of a marker", self._delete(canary.key, marker, more))
        return LockAttempt(self._try(what, self._delete(canary.key, canary.id, more)), baseline)

    def _delete(self, key: str, version: str, more: dict[str, bool]) -> Callable[[], object]:
        return lambda: self._client.delete_object(Bucket=self.bucket, Key=key, VersionId=version, **more)

    def _retention(
        self, what: str, hold: Hold, mode: str, lasting: dt.timedelta, **more: bool
    ) -> LockAttempt:
        """The baseline makes the retention one second longer."""
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

    def _on_bucket(self) -> Iterator[LockAttempt]:
        """Yield every way to open the bucket for later losses, or to reach another one, beside a read."""
        place = {"Bucket": self.bucket}
        seen = self._try("read versioning", lambda: self._client.get_bucket_versioning(**place))
        if self._key.owns:
            if self._lock.enabled:  # the owner may, unless the lock forbids it
                yield LockAttempt(self._suspend(), seen)
            return
        rule = self._try("read lock", lambda: self._client.get_object_lock_configuration(**place))
        listed = self._list(self.bucket)
        yield LockAttempt(self._suspend(), seen, locked=False)
        yield LockAttempt(self._drop_default(), rule, locked=False)
        if next(self._s3.each_version(self.bucket), None) is not None:
            yield LockAttempt(self._delete_bucket(), listed, locked=False)
        for name in self._s3.buckets.values():
            if name != self.bucket:
                yield LockAttempt(self._list(name), listed, locked=False)

    def _of_a_reader(self) -> list[LockAttempt]:
        listed, key = self._list(self.bucket), f"{self.prefix}written"
        put = self._try("upload", lambda: self._client.put_object(Bucket=self.bucket, Key=key, Body=b""))
        delete = self._try("delete", lambda: self._client.delete_object(Bucket=self.bucket, Key=key))
        return [LockAttempt(put, listed, locked=False), LockAttempt(delete, listed, locked=False)]

    def _list(self, bucket: str) -> Attempt:
        ref = f"list Bucket {bucket} as {self._key.who}"
        return attempt(ref, lambda: self._client.list_objects_v2(Bucket=bucket, MaxKeys=1))

    def _suspend(self) -> Attempt:
        wanted = {"Status": "Suspended"}
        with self._journal.kept(self._lock, self._key.file, self._client):
            return self._try(
                "suspend versioning",
                lambda: self._client.put_bucket_versioning(
                    Bucket=self.bucket, VersioningConfiguration=wanted
                ),
            )

    def _drop_default(self) -> Attempt:
        nothing = {"ObjectLockEnabled": "Enabled"}
        with self._journal.kept(self._lock, self._key.file, self._client):
            return self._try(
                "drop default retention",
                lambda: self._client.put_object_lock_configuration(
                    Bucket=self.bucket, ObjectLockConfiguration=nothing
                ),
            )

    def _delete_bucket(self) -> Attempt:
        tried = self._try("delete bucket", lambda: self._client.delete_bucket(Bucket=self.bucket))
        # A key that may delete it is refused only as long as something lies in it.
        return replace(tried, admitted=True) if "NotEmpty" in tried.reason else tried

    def _try(self, what: str, act: Callable[[], object]) -> Attempt:
        return attempt(f"{what} in Bucket {self.bucket} as {self._key.who}", act)


def lock_trials(profile: Profile, s3: S3, *, on_backups: bool) -> list[LockTrial]:
    """Return a trial for each key and bucket that attempts are made on.

    That is the canary bucket, where the profile names one. What a killed run left is put back first.

    Args:
        profile: the stack.
        s3: its object storage, read.
        on_backups: the buckets for backups too; in a lab only.

    Raises:
        GuardError: `on_backups` outside a lab, or a bucket could not be put back.
        ProbeError: the storage refuses, or a bucket has no writer's key.
    """
    journal, access = BucketJournal.from_profile(profile), s3.access
    journal.put_back()
    buckets = [access.canary_bucket] if access.canary_bucket else []
    if on_backups:
        require_lab(profile)
        buckets += s3.judged_buckets()
    found = []
    for bucket in buckets:
        own = bucket == access.canary_bucket
        lock, guard = s3.lock(bucket), Guard(Effect.DECOY, (bucket,)) if own else Guard(Effect.WRITES)
        for key in _keys(s3, bucket):
            client = connect_s3(access, key.file, guard=guard)
            found.append(LockTrial(s3, key, lock, journal, client))
    return found


def _keys(s3: S3, bucket: str) -> Iterable[TriedKey]:
    """Return the keys that reach a bucket; one that nobody declared has no writer that is known."""
    access = s3.access
    purposes = [purpose for purpose, name in access.buckets.items() if name == bucket]
    if absent := [purpose for purpose in purposes if purpose not in access.writer_keys]:
        raise ProbeError(f"no writer's key for {', '.join(absent)}", "set writer_keys under [s3]")
    yield from (TriedKey(f"the {one} writer", access.writer_keys[one]) for one in purposes)
    if bucket == access.canary_bucket:
        if access.canary_key is None:
            raise ProbeError("no writer's key for the canary bucket", "set canary_key under [s3]")
        yield TriedKey("the canary writer", access.canary_key)
    if access.operator_key is not None:
        yield TriedKey("the operator", access.operator_key, owns=True)
    if access.reader_key is not None:
        yield TriedKey("the reader", access.reader_key, reads=True)
