"""What is known of a bucket and of the versions in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


COMPLIANCE = "COMPLIANCE"
CANARIES = "assay-canary/"
LARGEST_CANARY = 1024


@dataclass(frozen=True, slots=True)
class Lock:
    """The object lock of a bucket; `days` is the default retention, None where there is none."""

    bucket: str
    enabled: bool
    versioning: str
    mode: str = ""
    days: int | None = None

    @property
    def ref(self) -> str:
        """Return `Bucket name`."""
        return f"Bucket {self.bucket}"

    def fault(self, least: float) -> str:
        """Return why this lock does not hold what is uploaded for `least` days, empty if it does."""
        if not self.enabled:
            return "has no object lock"
        if self.versioning != "Enabled":
            return f"versioning is {self.versioning or 'off'}"
        if self.days is None:
            return "has an object lock without a default retention: it holds nothing by itself"
        if self.mode != COMPLIANCE:
            return f"its default mode is {self.mode}: who has the bypass right deletes"
        return "" if self.days >= least else f"holds {self.days} days of {least:g}"


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, or a delete marker (which holds nothing). `modified` has a time zone."""

    bucket: str
    key: str
    id: str
    size: int
    modified: dt.datetime
    latest: bool
    etag: str = ""
    marker: bool = False

    @property
    def ref(self) -> str:
        """Return `Object bucket/key`, which all versions share."""
        return f"Object {self.bucket}/{self.key}"

    @property
    def canary(self) -> bool:
        """Return whether the suite wrote it, to try the lock on; it never writes anything large."""
        return self.key.startswith(CANARIES) and self.size <= LARGEST_CANARY

    @property
    def shown(self) -> bool:
        """Return whether a plain listing shows it as somebody's object."""
        return self.latest and not self.marker and not self.canary


@dataclass(frozen=True, slots=True)
class Hold:
    """How one version is locked: mode (empty: not at all) and until when."""

    version: ObjectVersion
    mode: str = ""
    until: dt.datetime | None = None

    @property
    def ref(self) -> str:
        """Return the name of the version's object."""
        return self.version.ref

    def fault(self, least: float) -> str:
        """Return why this version was not held for `least` days from its upload, empty if it was."""
        if not self.mode or self.until is None:
            return f"version {self.version.id} is not locked"
        if self.mode != COMPLIANCE:
            return (
                f"version {self.version.id} is locked in mode {self.mode}: who has the bypass right deletes"
            )
        least = min(least, 1.0) if self.version.canary else least
        held = (self.until - self.version.modified).total_seconds() / 86400
        # The store stamps the retention a moment before it stamps the version.
        return (
            ""
            if held >= least - 1 / 1440
            else f"version {self.version.id} is held {held:.2f} days of {least:g}"
        )


@dataclass(frozen=True, slots=True)
class Expiry:
    """One life-cycle rule: days until a current version gets a marker, and until an older one is removed.

    `whole` says that it applies to every object of the bucket, without a number of versions that stay. A day
    of the calendar counts as 0 days: from then on nothing stays current.
    """

    name: str
    enabled: bool
    whole: bool = True
    current: int | None = None
    noncurrent: int | None = None


def as_of(versions: Iterable[ObjectVersion], moment: dt.datetime) -> list[ObjectVersion]:
    """Return what a listing would have shown at `moment`: per key the newest version not younger.

    Keys whose newest one was a delete marker then are left out. Versions of one key with the same time keep
    the order of the store, newest first.
    """
    then: dict[str, ObjectVersion] = {}
    for one in versions:
        if one.modified > moment:
            continue
        known = then.get(one.key)
        if known is None or one.modified > known.modified:
            then[one.key] = one
    return [one for _, one in sorted(then.items()) if not one.marker]


def expiry_of(rule: Mapping[str, Any]) -> Expiry:
    """Return a rule of a bucket's life cycle, from the store's answer."""
    narrowed = [value for value in (rule.get("Prefix"), *rule.get("Filter", {}).values()) if value]
    ended, removed = rule.get("Expiration", {}), rule.get("NoncurrentVersionExpiration", {})
    return Expiry(
        name=str(rule.get("ID", "")),
        enabled=rule.get("Status") == "Enabled",
        whole=not narrowed and not removed.get("NewerNoncurrentVersions"),
        current=0 if "Date" in ended else ended.get("Days"),
        noncurrent=removed.get("NoncurrentDays"),
    )


def versions_of(bucket: str, page: Mapping[str, Any]) -> list[ObjectVersion]:
    """Return the versions and delete markers of one page of a listing."""
    entries = [(entry, False) for entry in page.get("Versions", [])]
    entries += [(entry, True) for entry in page.get("DeleteMarkers", [])]
    return [_version(bucket, entry, marker) for entry, marker in entries]


def _version(bucket: str, entry: Mapping[str, Any], marker: bool) -> ObjectVersion:
    return ObjectVersion(
        bucket=bucket,
        key=str(entry["Key"]),
        id=str(entry["VersionId"]),
        size=int(entry.get("Size", 0)),
        modified=entry["LastModified"],
        latest=bool(entry["IsLatest"]),
        etag=str(entry.get("ETag", "")).strip('"'),
        marker=marker,
    )
