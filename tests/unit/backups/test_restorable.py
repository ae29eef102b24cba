"""The newest point of a service: the newest that opened, and what is wrong with anything newer."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.backups.restorable import RestorablePoints
from assay.config.platform import Service
from assay.config.profile import Profile, S3Access
from assay.errors import ProbeError
from assay.probes.s3.facts import ObjectVersion


NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
PROFILE = Profile(Path("p.toml"), "p", "production", s3=S3Access(buckets={"queue": "b"}))


class Store:
    """A bucket with objects an hour apart, the last one the newest."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    def each_version(self, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
        assert bucket == "b"
        for n, (key, body) in enumerate(self.objects.items()):
            if key.startswith(prefix):
                moment = NOON + n * dt.timedelta(hours=1)
                yield ObjectVersion("b", key, "1", len(body), moment, latest=True)

    def read(self, one: ObjectVersion, most: int) -> bytes:
        return self.objects[one.key][:most]


class Points(RestorablePoints):
    """Points of which an object opens that says so."""

    def opener(self, service: Service) -> Callable[[ObjectVersion], str]:
        super().opener(service) if not service.backup else None
        store: Any = self._s3
        return lambda one: "" if store.objects[one.key] == b"opens" else "does not open"


def points(**objects: bytes) -> Points:
    store: Any = Store(**objects)
    return Points(PROFILE, store)


OBJECTS = Service("queue", backup="objects")


@pytest.mark.parametrize(("objects", "key", "faults"), [
    ({"a": b"opens", "b": b"opens"}, "b", 0),
    ({"a": b"opens", "b": b"5 byt"}, "a", 1),
    ({"a": b"opens", "b": b"", "c": b"part"}, "a", 2),
    ({"a": b"opens", "b": b"", "c": b"", "d": b""}, "", 3),
    ({}, "", 0),
])  # fmt: skip
def test_the_newest_that_opened_counts(objects: dict[str, bytes], key: str, faults: int) -> None:
    found = points(**objects).newest(OBJECTS)
    assert (found.ref, len(found.faults)) == (f"Object b/{key}" if key else "", faults)
    assert (found.moment is None) is (not key)
    assert "never tried" not in found.basis


def test_only_what_lies_below_the_prefix_is_the_services() -> None:
    below = Service("queue", backup="objects", prefix="queue/")
    found = points(**{"queue/a": b"opens", "other/b": b"opens"}).newest(below)
    assert found.ref == "Object b/queue/a"


@pytest.mark.parametrize(("phase", "restorable"), [
    ("Completed", True), ("PartiallyFailed", False), ("InProgress", False), ("", False),
])  # fmt: skip
def test_a_backup_of_velero_counts_when_it_is_completed(phase: str, restorable: bool) -> None:
    body = json.dumps({"status": {"phase": phase}}).encode()
    stored = {"backups/one/velero-backup.json": body, "backups/one/one.tar.gz": b"later"}
    found = points(**stored).newest(Service("queue", backup="velero"))
    assert (found.moment is not None) is restorable
    assert bool(found.faults) is not restorable
    assert ("never tried on a real bucket" in found.basis) is restorable


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"status": 3}', b"null"])
def test_a_description_that_is_none_is_no_point(body: bytes) -> None:
    found = points(**{"backups/one/velero-backup.json": body}).newest(Service("queue", backup="velero"))
    assert (found.moment, len(found.faults)) == (None, 1)


def test_what_the_profile_does_not_say_is_an_error_and_no_pass() -> None:
    with pytest.raises(ProbeError, match="does not say how the backups of queue are made"):
        points(a=b"opens").newest(Service("queue"))
    with pytest.raises(ProbeError, match="names no bucket for other"):
        points(a=b"opens").newest(Service("other", backup="objects"))
