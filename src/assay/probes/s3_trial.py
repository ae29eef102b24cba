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
from assay.model import Attempt
from assay.probes.s3 import S3, Client, asking, attempt, connect
from assay.probes.s3_facts import CANARIES, COMPLIANCE, Lock, Version


DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
TICK = 1.1  # seconds; some stores give times in whole seconds


@dataclass(frozen=True, slots=True)
class Pair:
    """An attempt that has to be refused, and its twin that has to get through."""

    attempt: Attempt
    twin: Attempt

    def layer(self, layers: Iterable[str]) -> str:
        """Return the one of `layers` that the refusal names; else the first, which it then does not name."""
        known = list(layers)
        return next((one for one in known if one.lower() in self.attempt.reason.lower()), known[0])


class Trial:
    """One key, tried on one bucket with one canary version."""

    def __init__(self, s3: S3, who: str, key: Path, lock: Lock) -> None:
        """Act as `who`, whose key file is `key`, on the bucket of `lock`."""
        self._s3, self.who, self.bucket, self._lock = s3, who, lock.bucket, lock
        self._client: Client = connect(s3.access, key)
        self.prefix = f"{CANARIES}{secrets.token_hex(4)}/"

    def canary(self, name: str, body: bytes) -> Version:
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

    def on_version(self, canary: Version) -> list[Pair]:
        """Return every way to lose the version, beside its twin. The lock alone has to refuse these."""
        return [
            self._retention("shorten retention", canary, COMPLIANCE, HOUR),
            self._retention("weaken to governance", canary, "GOVERNANCE", 2 * DAY),
            self._removal("delete version", canary, bypass=False),
            self._removal("delete version with bypass", canary, bypass=True),
        ]

    def _removal(self, what: str, canary: Version, *, bypass: bool) -> Pair:
        """The twin is the deletion of a marker's version: same verb, same key, nothing that is locked."""
        more = {"BypassGovernanceRetention": True} if bypass else {}
        marker = self.mark(canary.key)
        twin = self._try(f"{what} of a marker", self._delete(canary.key, marker, more))
        return Pair(self._try(what, self._delete(canary.key, canary.id, more)), twin)

    def _delete(self, key: str, version: str, more: dict[str, bool]) -> Callable[[], object]:
        return lambda: self._client.delete_object(Bucket=self.bucket, Key=key, VersionId=version, **more)

    def _retention(self, what: str, canary: Version, mode: str, lasting: dt.timedelta) -> Pair:
        """The twin makes the retention one second longer."""
        hold = self._s3.hold(canary)
        now = dt.datetime.now(dt.UTC)
        longer = (hold.until or now + HOUR) + SECOND
        twin = self._try("lengthen retention", self._retain(canary, hold.mode or COMPLIANCE, longer))
        return Pair(self._try(what, self._retain(canary, mode, now + lasting)), twin)

    def _retain(self, canary: Version, mode: str, until: dt.datetime) -> Callable[[], object]:
        place = {"Bucket": canary.bucket, "Key": canary.key, "VersionId": canary.id}
        return lambda: self._client.put_object_retention(
            **place, Retention={"Mode": mode, "RetainUntilDate": until}
        )

    # attempts on the bucket ---------------------------------------------------------------------------

    def on_bucket(self) -> list[Pair]:
        """Return every way to open the bucket for later losses, with reads of the same things as twins.

        The bucket must hold a canary, so that it cannot be deleted even by one who may.
        """
        place = {"Bucket": self.bucket}
        seen = self._try("read versioning", lambda: self._client.get_bucket_versioning(**place))
        rule = self._try("read lock", lambda: self._client.get_object_lock_configuration(**place))
        listed = self._try("list", lambda: self._client.list_objects_v2(**place, MaxKeys=1))
        return [
            Pair(self.suspend(), seen),
            Pair(self._drop_default(), rule),
            Pair(self._delete_bucket(), listed),
        ]

    def suspend(self) -> Attempt:
        """Return the attempt to suspend versioning."""
        tried = self._try("suspend versioning", lambda: self._versioning("Suspended"))
        if tried.admitted and self._lock.versioning == "Enabled":
            self._versioning("Enabled")
        return tried

    def enable(self) -> Attempt:
        """Return the attempt to enable versioning where it is enabled: the twin of `suspend` for an owner."""
        return self._try("enable versioning", lambda: self._versioning("Enabled"))

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

    def foreign(self, bucket: str) -> Pair:
        """Return the attempt to list another purpose's bucket, beside the listing of its own."""
        own = self._try("list", lambda: self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1))
        other = f"list Bucket {bucket} as {self.who}"
        return Pair(attempt(other, lambda: self._client.list_objects_v2(Bucket=bucket, MaxKeys=1)), own)

    def write(self) -> Pair:
        """Return the attempt to upload, beside a listing: what a key that only reads is refused."""
        own = self._try("list", lambda: self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1))
        key = f"{self.prefix}written"
        return Pair(
            self._try("upload", lambda: self._client.put_object(Bucket=self.bucket, Key=key, Body=b"")), own
        )

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
