"""How long backups are kept, offline: the document's table, sources, rules, chains of segments, archives."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ProbeError
from assay.probes import ciphertext, retention
from assay.probes.bucket_code import DeclaredBucket
from assay.probes.retention import Kept, documented
from assay.probes.s3_facts import Expiry, Lock, Version
from assay.probes.sql import Archiver, Sql, following


ONE = Kept("etcd", 3600.0, 30, 30, 30)
TABLE = """# x
| a | b |
|---|---|
| 1 | 2 |

| Service | Lost at most | Kept days | Locked days | Removed after days |
|---|---|---|---|---|
| etcd | 3600 s | 30 | 30 | 30 |
| postgres | 300 s | 30 | 30 | 35 |

after
"""


def bucket(days: int | None = 30, noncurrent: int | None = 30, expires: int | None = None) -> DeclaredBucket:
    lock = Lock("etcd-backups", enabled=True, versioning="Enabled", mode="COMPLIANCE", days=days)
    return DeclaredBucket("r", "f:1", "etcd-backups", lock, expires=expires, noncurrent=noncurrent)


NOW = dt.datetime.now(dt.UTC)


def version(key: str, age: float = 0) -> Version:
    return Version("b", key, "1", 1, NOW - dt.timedelta(seconds=age), latest=True)


def segment(number: int, line: int = 1) -> Version:
    return version(f"p/archive/p/15-1/x/{line:08X}{number // 256:08X}{number % 256:08X}-{'a' * 40}.zst")


MANIFEST = version("p/backup/p/20261124-010203F/backup.manifest")


def test_the_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "d.md").write_text(TABLE)
    assert documented(tmp_path / "d.md") == [ONE, Kept("postgres", 300.0, 30, 30, 35)]


@pytest.mark.parametrize("text", ["", "| Service |\n|---|\n| etcd |\n", TABLE.replace("| 30 |", "| soon |")])
def test_no_table_is_no_promise(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.md").write_text(text)
    with pytest.raises(ProbeError):
        documented(tmp_path / "d.md")


def test_the_project_s_own_document_is_read() -> None:
    found = documented(Path(__file__).parents[2] / "docs" / "backups-and-restore.md")
    assert [one.service for one in found] == ["etcd", "vault", "postgres"]


def test_what_is_declared_as_documented_is_right() -> None:
    assert retention.undeclared(ONE, bucket(), 3600.0) == []


@pytest.mark.parametrize(
    ("found", "lost"),
    [(None, 3600.0), (bucket(days=14), 3600.0), (bucket(noncurrent=7), 3600.0), (bucket(expires=3), 3600.0),
     (bucket(noncurrent=None), 3600.0), (bucket(), 60.0), (bucket(), None)],
)  # fmt: skip
def test_each_difference_is_named(found: DeclaredBucket | None, lost: float | None) -> None:
    assert len(retention.undeclared(ONE, found, lost)) == 1


def test_rules_that_remove_early_are_named() -> None:
    rules = [
        Expiry("b", "a", enabled=True, noncurrent=1), Expiry("b", "b", enabled=True, current=90),
        Expiry("b", "c", enabled=False, noncurrent=1), Expiry("b", "d", enabled=True, noncurrent=30),
    ]  # fmt: skip
    assert [one.why.split()[1] for one in retention.early(ONE, rules)] == ["a", "b"]


def test_a_log_without_gaps_is_whole() -> None:
    whole = [segment(n) for n in range(250, 260)] + [segment(n, 2) for n in (259, 260)]
    assert retention.gaps([*whole, MANIFEST]) == []


def test_segments_are_named_and_follow_each_other() -> None:
    names = retention.segments([segment(255), segment(256), MANIFEST])
    assert names == {"0000000100000000000000FF", "000000010000000100000000"}
    assert following("0000000100000000000000FF") in names


class Idle(Sql):
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
def test_nobody_can_say(server: Sql, stored: set[str]) -> None:
    assert server.unarchived(stored) is None


def test_a_gap_is_named() -> None:
    (wrong,) = retention.gaps([segment(254), segment(255), segment(257), MANIFEST])
    assert wrong.named == "Segment 000000010000000100000000"


def test_a_log_that_begins_after_the_backup_makes_nothing_whole() -> None:
    early = version(MANIFEST.key, age=60)
    assert retention.gaps([segment(1), version(segment(0).key, age=60), early]) == []
    (wrong,) = retention.gaps([segment(1), early])
    assert (wrong.named, wrong.why) == ("Backup 20261124-010203F", "the log begins after it ended")


def test_a_gap_without_end_is_cut_short() -> None:
    assert len(retention.gaps([segment(1), segment(1 << 30), MANIFEST])) == retention.MOST


def test_a_log_without_a_base_is_no_backup() -> None:
    assert retention.gaps([segment(1)])
    assert retention.gaps([MANIFEST])
    other = version("p/backup/p/20261124-010203F/bundle/1")
    assert "no manifest" in retention.gaps([segment(1), other])[0].why


def archive(path: Path, state: bytes = b"state", wanted: bytes = b"state") -> Path:
    meta = b"{}"
    sums = f"{hashlib.sha256(wanted).hexdigest()}  state.bin\n{hashlib.sha256(meta).hexdigest()}  meta.json\n"
    with tarfile.open(path, "w:gz") as out:
        for name, content in (("meta.json", meta), ("state.bin", state), ("SHA256SUMS", sums.encode())):
            about = tarfile.TarInfo(name)
            about.size = len(content)
            out.addfile(about, io.BytesIO(content))
    return path


def test_a_raft_snapshot_is_checked(tmp_path: Path) -> None:
    good = archive(tmp_path / "good")
    assert retention.checksums(good) == ""
    assert "state.bin" in retention.checksums(archive(tmp_path / "bad", b"other"))
    (tmp_path / "cut").write_bytes(good.read_bytes()[:-40])
    assert "no raft snapshot" in retention.checksums(tmp_path / "cut")
    assert "no raft snapshot" in retention.checksums(tmp_path / "absent")


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(raw: bytes) -> None:
    assert isinstance(ciphertext.fault(raw), str)
    assert isinstance(ciphertext.deep_fault(raw, [b"canary"]), str)


def test_a_setting_is_found_by_line(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("[global]\na=1\nkept = 30\n")
    assert retention.setting(tmp_path / "c", "kept") == ("30", 3)
    assert retention.setting(tmp_path / "c", "other") == ("", 0)
