"""PostgreSQL's archive, offline: base backups that are whole, logs without gaps, and what can be restored."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups.postgres_archive import MAX_GAP, Archive, read_archive
from assay.errors import ProbeError
from assay.model import Offender
from assay.probes.postgres import Archiver, Postgres, following
from assay.probes.s3.facts import ObjectVersion


NOW = dt.datetime.now(dt.UTC)


def version(key: str, age: float = 0) -> ObjectVersion:
    return ObjectVersion("b", key, "1", 1, NOW - dt.timedelta(seconds=age), latest=True)


def segment(number: int, line: int = 1, age: float = 0) -> ObjectVersion:
    return version(f"p/archive/p/15-1/x/{line:08X}{number // 256:08X}{number % 256:08X}-{'a' * 40}.zst", age)


MANIFEST = version("p/backup/p/20261124-010203F/backup.manifest")


class Store:
    """A store of small files."""

    def __init__(self, **files: str) -> None:
        self.files = files

    def read(self, one: ObjectVersion, most: int) -> bytes:
        return self.files[one.key].encode()[:most]


def archive(*versions: ObjectVersion) -> Archive:
    store: Any = Store()
    return read_archive(store, "pgbackrest", versions)


def gaps(*versions: ObjectVersion) -> list[Offender]:
    return archive(*versions).gaps("postgres")


def test_base_backups_are_whole_by_their_manifest() -> None:
    later = version("p/backup/p/20261125-010203F/bundle/1")
    history = version("p/backup/p/backup.history/2026/20261123-010203F.manifest.gz")
    copy = version("p/backup/p/20261125-010203F/backup.manifest.copy")
    first, second = archive(later, history, copy, MANIFEST).bases
    assert (first.ref, first.whole) == ("Backup 20261124-010203F", MANIFEST.modified)
    assert (second.label, second.whole) == ("20261125-010203F", None)


def test_a_log_without_gaps_is_whole() -> None:
    whole = [segment(n) for n in range(250, 260)] + [segment(n, 2) for n in (259, 260)]
    assert gaps(*whole, MANIFEST) == []


def test_segments_are_named_and_follow_each_other() -> None:
    names = archive(segment(255), segment(256), MANIFEST).log.keys()
    assert names == {"0000000100000000000000FF", "000000010000000100000000"}
    assert following("0000000100000000000000FF") in names


def test_a_gap_is_named() -> None:
    (wrong,) = gaps(segment(254), segment(255), segment(257), MANIFEST)
    assert wrong.ref == "Segment 000000010000000100000000"


def test_a_gap_between_two_timelines_is_named() -> None:
    """The old leader died with segments that nobody archived: the new one does not begin where it ended."""
    log = [segment(1), segment(2), segment(5, 2), MANIFEST]
    assert [one.ref[-8:] for one in gaps(*log)] == ["00000003", "00000004"]
    assert gaps(segment(1), segment(2), segment(3), segment(2, 2), MANIFEST) == []


def test_a_log_that_begins_after_the_backup_makes_nothing_whole() -> None:
    early = version(MANIFEST.key, age=60)
    assert gaps(segment(1), version(segment(0).key, age=60), early) == []
    (wrong,) = gaps(segment(1), early)
    assert (wrong.ref, wrong.why) == ("Backup 20261124-010203F", "the log begins after it ended")


def test_a_gap_without_end_is_cut_short() -> None:
    assert len(gaps(segment(1), segment(1 << 30), MANIFEST)) == MAX_GAP


def test_a_log_without_a_base_is_no_backup() -> None:
    assert gaps(segment(1))
    assert gaps(MANIFEST)
    other = version("p/backup/p/20261124-010203F/bundle/1")
    assert "not whole" in gaps(segment(1), other)[0].why


BEGINS = version("p/archive/p/15-1/x/000000010000000000000004.00000028.backup", 3600)
WHOLE = version("p/backup/p/20261124-010203F/backup.manifest", 3600)


def newest(*versions: ObjectVersion) -> tuple[str, float | None, tuple[str, ...]]:
    """Return the segment that can be reached, its age in seconds, and what keeps later ones away."""
    state = archive(*versions).newest()
    age = None if state.moment is None else (NOW - state.moment).total_seconds()
    return state.segment[-8:].lstrip("0"), age, state.faults


def test_a_base_and_its_whole_log_reach_the_last_segment() -> None:
    log = [segment(n, age=4000 - n * 100) for n in range(4, 30)]
    assert newest(BEGINS, WHOLE, *log) == ("1D", 1100.0, ())


@pytest.mark.parametrize(("versions", "reached", "said"), [
    ([segment(4), segment(5)], "", "no base backup is whole"),
    ([BEGINS, version("p/backup/p/20261124-010203F/bundle/1"), segment(4)], "", "no base backup is whole"),
    ([BEGINS, WHOLE], "", "the log of 20261124-010203F does not begin"),
    ([BEGINS, WHOLE, segment(5), segment(6)], "", "does not begin: no 000000010000000000000004"),
    ([BEGINS, WHOLE, segment(4, age=3700), segment(5, age=3500), segment(7)], "5", "is missing"),
    ([BEGINS, WHOLE, segment(4, age=3700), segment(6)], "", "cannot be made whole without it"),
], ids=["no base", "half a base", "no log", "log begins late", "gap behind it", "gap within"])  # fmt: skip
def test_what_cannot_be_reached_is_said(versions: list[ObjectVersion], reached: str, said: str) -> None:
    segment_, age, faults = newest(*versions)
    assert segment_ == reached
    assert (age is None) is (reached == "")
    assert said in "; ".join(faults)


def test_the_newest_whole_base_counts_and_what_lies_before_it_does_not() -> None:
    older = version("p/backup/p/20261123-010203F/backup.manifest", 90000)
    broken = version("p/backup/p/20261125-010203F/bundle/1")
    log = [segment(1, age=90000), segment(4, age=3700), segment(5, age=60)]
    assert newest(older, BEGINS, WHOLE, broken, *log) == ("5", 60.0, ())


def barman(info: str, *names: str) -> Archive:
    keys = [f"cluster/wals/{name[:16]}/{name}{'' if '.' in name else '.gz'}" for name in names]
    store: Any = Store(**{"cluster/base/1/backup.info": info})
    base = [version("cluster/base/1/backup.info", 600), version("cluster/base/1/data.tar.gz", 700)]
    return read_archive(store, "barman", [*base, *(version(key, 500) for key in keys)])


FIRST, SECOND, FOURTH = (f"00000001000000000000000{n}" for n in (1, 2, 4))


def test_a_part_of_a_segment_is_no_segment_of_barmans() -> None:
    done = f"begin_wal={FIRST}\nstatus=DONE\n"
    assert barman(done, f"{FIRST}.partial").newest().segment == ""


def test_barman_says_itself_whether_a_backup_is_done() -> None:
    done = f"backup_name=None\nbegin_wal={FIRST}\nstatus=DONE\n"
    state = barman(done, FIRST, SECOND).newest()
    assert (state.segment, state.faults) == (SECOND, ())
    assert barman(done, FIRST, FOURTH).newest().faults == ("segment 000000010000000000000002 is missing",)
    assert barman(done.replace("DONE", "FAILED"), FIRST).newest().moment is None
    assert barman(done.replace("DONE", "STARTED"), FIRST).newest().faults == ("no base backup is whole",)
    with pytest.raises(ProbeError, match="does not say in which segment it begins"):
        barman("status=DONE\n", FIRST)


@given(st.lists(st.integers(0, 600), min_size=1, max_size=40, unique=True), st.integers(0, 600))
def test_a_state_is_reached_by_what_lies_there_only(numbers: list[int], begins: int) -> None:
    """Whatever segments are there: each one from the base to the reached one is among them."""
    label = f"{1:08X}{begins // 256:08X}{begins % 256:08X}"
    start = version(f"p/archive/p/15-1/x/{label}.00000028.backup", 3600)
    state = archive(start, WHOLE, *(segment(n) for n in numbers)).newest()
    if not state.segment:
        assert begins not in numbers or state.faults
        return
    last = int(state.segment[8:16], 16) * 256 + int(state.segment[16:], 16)
    assert set(range(begins, last + 1)) <= set(numbers)
    assert bool(state.faults) is (last < max(numbers))


class Idle(Postgres):
    """A server that says so of itself."""

    def __init__(self, last: str, name: str, timeout: str = "60", failing: bool = False) -> None:
        self.last, self.failing, self.row = last, failing, {"name": name, "timeout": timeout}

    def archiver(self) -> Archiver:
        return Archiver(1, 0, self.last, 500.0, self.failing)

    def rows(self, *_: object) -> list[dict[str, object]]:  # type: ignore[override]
        return [self.row]


LAST, NEXT, LATER = (f"00000001000000000000000{n}" for n in (5, 6, 7))


def test_an_idle_database_lacks_nothing() -> None:
    assert Idle(LAST, NEXT).unarchived({LAST}) == 60.0
    assert Idle(LAST, LAST).unarchived({LAST}) == 60.0


@pytest.mark.parametrize(
    ("server", "stored"),
    [(Idle(LAST, NEXT), set()), (Idle(LAST, LATER), {LAST}), (Idle(LAST, NEXT, "0"), {LAST}),
     (Idle(LAST, NEXT, failing=True), {LAST})],
    ids=["not in the store", "one is waiting", "never closed", "failing"],
)  # fmt: skip
def test_nobody_can_say(server: Postgres, stored: set[str]) -> None:
    assert server.unarchived(stored) is None
