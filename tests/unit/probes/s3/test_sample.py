"""Samples of long listings: bounded memory, each version with the same chance, and what that says."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups.listing import judged_versions
from assay.errors import PopulationError
from assay.model import Control, Limit, Record, Tier
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion
from assay.probes.s3.sample import sample


START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MANY = 40_000  # kept whole they take more than twice MOST_BYTES
MOST_BYTES = 4 << 20


def version(number: int, *, marker: bool = False) -> ObjectVersion:
    return ObjectVersion("b", f"wal/{number:08d}", str(number), 1, START + dt.timedelta(seconds=number), True,
                         marker=marker)  # fmt: skip


class Pages:
    """A store that lists `count` versions, a thousand a page, as the S3 API writes them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def list_object_versions(self, *, KeyMarker: str = "0", **_: object) -> dict[str, Any]:  # noqa: N803
        first = int(KeyMarker)
        rows = range(first, min(first + 1000, self.count))
        page = [{"Key": f"wal/{n:08d}", "VersionId": str(n), "Size": 1, "IsLatest": True, "ETag": f'"{n}"',
                 "LastModified": START + dt.timedelta(seconds=n)} for n in rows]  # fmt: skip
        more = first + 1000 < self.count
        return {"Versions": page, "IsTruncated": more, "NextKeyMarker": str(first + 1000) if more else None}


def record() -> tuple[Record, list[str]]:
    told: list[str] = []
    limits = (Limit(1000, "count", "newest"), Limit(1000, "count", "drawn"))
    return Record(Control("SEC-31", "s", "s", "o", (Tier.LIVE,), "r", limits), listener=told.append), told


def test_many_versions_are_judged_in_bounded_memory() -> None:
    """The whole way: pages of the API, the stream, the sample, the record."""
    client: Any = Pages(MANY)
    access: Any = None
    control, told = record()
    tracemalloc.start()
    seen = judged_versions(S3(access, client), "b", control, lambda one: not one.marker)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MOST_BYTES, f"{peak / 2**20:.1f} MiB"
    assert (control.looked_at, control.expected, len(seen)) == (2000, MANY, 2000)
    assert [one.id for one in seen[:1000]] == [str(n) for n in range(MANY - 1, MANY - 1001, -1)]
    assert control.notes["Bucket b"] == (
        "the 1000 newest of 40000 and 1000 drawn at random; if none of them breaks it, at most 0.30% of the "
        "others do (95 % confidence)"
    )
    assert told[:2] == [
        "SEC-31: 20000 versions listed in Bucket b",
        "SEC-31: 40000 versions listed in Bucket b",
    ]


def test_a_bucket_that_is_small_enough_is_judged_whole() -> None:
    client: Any = Pages(1500)
    access: Any = None
    control, _ = record()
    judged_versions(S3(access, client), "b", control, lambda one: True)
    assert (control.looked_at, control.expected) == (1500, 1500)
    assert control.notes["Bucket b"] == "all 1500"


def test_nothing_listed_is_no_population() -> None:
    client: Any = Pages(0)
    access: Any = None
    with pytest.raises(PopulationError):
        judged_versions(S3(access, client), "b", record()[0], lambda one: True)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(0, 8), st.integers(0, 8))
def test_a_sample_holds_the_newest_and_nothing_twice(seconds: list[int], newest: int, drawn: int) -> None:
    versions = [version(n) for n in seconds]
    got = sample(iter(versions), newest, drawn)
    times = [one.modified for one in got.newest]
    assert got.listed == len(versions)
    assert times == sorted((one.modified for one in versions), reverse=True)[:newest]
    assert len(got.drawn) == min(drawn, max(0, len(versions) - newest))
    ids = [id(one) for one in got.judged]
    assert len(set(ids)) == len(ids)


def test_each_of_the_others_has_the_same_chance() -> None:
    """A thousand draws of 10 from 100: each is drawn about a hundred times (six standard deviations)."""
    times = dict.fromkeys(range(100), 0)

    def listed() -> Iterator[ObjectVersion]:
        return (version(n) for n in range(105))

    for _ in range(1000):
        for one in sample(listed(), 5, 10).drawn:
            times[int(one.id)] += 1
    assert all(43 < n < 157 for n in times.values()), times
