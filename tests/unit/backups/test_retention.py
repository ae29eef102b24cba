"""How long backups are kept, offline: the document's table, sources, rules, chains of segments, archives."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups import ciphertext, retention
from assay.backups.retention import RetentionRule, documented
from assay.config.profile import S3Access
from assay.errors import ProbeError
from assay.formats.resource import Resource
from assay.probes.postgres import Archiver, Postgres, following
from assay.probes.s3.client import S3
from assay.probes.s3.facts import Expiry, Lock, ObjectVersion
from assay.probes.terraform.buckets import DeclaredBucket, declared_buckets


ONE = RetentionRule("etcd", 3600.0, 30, 30, 30)
TOOL = RetentionRule("postgres", 300.0, 30, 30, 35, "tool")
TABLE = """# x
| a | b |
|---|---|
| 1 | 2 |

| Service | Lost at most | Kept days | Ended by | Locked days | Removed after days |
|---|---|---|---|---|---|
| etcd | 3600 s | 30 | bucket | 30 | 30 |
| postgres | 300 s | 30 | tool | 30 | 35 |

after
"""


def bucket(days: int | None = 30, noncurrent: int | None = 30, current: int | None = 30) -> DeclaredBucket:
    lock = Lock("etcd-backups", enabled=True, versioning="Enabled", mode="COMPLIANCE", days=days)
    rule = Expiry("kept", enabled=True, current=current, noncurrent=noncurrent)
    return DeclaredBucket("r", "f:1", "etcd-backups", lock, rules=(rule,))


NOW = dt.datetime.now(dt.UTC)


def version(key: str, age: float = 0) -> ObjectVersion:
    return ObjectVersion("b", key, "1", 1, NOW - dt.timedelta(seconds=age), latest=True)


def segment(number: int, line: int = 1) -> ObjectVersion:
    return version(f"p/archive/p/15-1/x/{line:08X}{number // 256:08X}{number % 256:08X}-{'a' * 40}.zst")


MANIFEST = version("p/backup/p/20261124-010203F/backup.manifest")


def test_the_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "d.md").write_text(TABLE)
    assert documented(tmp_path / "d.md") == [ONE, TOOL]


@pytest.mark.parametrize("text", ["", "| Service |\n|---|\n| etcd |\n", TABLE.replace("| 30 |", "| soon |")])
def test_no_table_is_no_promise(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.md").write_text(text)
    with pytest.raises(ProbeError):
        documented(tmp_path / "d.md")


def test_the_project_s_own_document_is_read() -> None:
    found = documented(Path(__file__).parents[3] / "docs" / "backups-and-restore.md")
    assert [one.service for one in found] == ["etcd", "vault", "postgres"]


def test_what_is_declared_as_documented_is_right() -> None:
    assert retention.undeclared(ONE, bucket(), 3600.0) == []


@pytest.mark.parametrize(
    ("found", "lost", "said"),
    [(None, 3600.0, 1), (bucket(days=14), 3600.0, 1), (bucket(noncurrent=7), 3600.0, 2),
     (bucket(current=3), 3600.0, 2), (bucket(noncurrent=None), 3600.0, 1), (bucket(), 60.0, 1),
     (bucket(), None, 1)],
)  # fmt: skip
def test_each_difference_is_named(found: DeclaredBucket | None, lost: float | None, said: int) -> None:
    assert len(retention.undeclared(ONE, found, lost)) == said


GOOD = Expiry("good", enabled=True, current=30, noncurrent=30)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([GOOD], []),
        ([Expiry("a", enabled=True, current=30), Expiry("b", enabled=True, noncurrent=30)], []),
        ([], ["no rule ends", "no rule removes"]),
        ([GOOD, Expiry("a", enabled=True, noncurrent=1)], ["rule a removes"]),
        ([GOOD, Expiry("a", enabled=True, noncurrent=90)], ["rule a removes"]),
        ([GOOD, Expiry("a", enabled=True, whole=False, current=0)], ["rule a ends"]),
        ([GOOD, Expiry("a", enabled=False, noncurrent=1)], []),
        ([dataclasses.replace(GOOD, enabled=False)], ["no rule ends", "no rule removes"]),
        ([dataclasses.replace(GOOD, whole=False)], ["no rule ends", "no rule removes"]),
    ],
    ids=["as said", "in two", "none", "early", "late", "some early", "off and early", "off", "not for all"],
)  # fmt: skip
def test_rules_that_differ_are_named(rules: list[Expiry], said: list[str]) -> None:
    wrong = retention.unlike(ONE, "Bucket b", rules)
    assert {one.ref for one in wrong} <= {"Bucket b"}
    assert [
        " ".join(one.why.split()[: len(word.split())]) for one, word in zip(wrong, said, strict=True)
    ] == said


def test_what_a_tool_ends_no_rule_may_end() -> None:
    rule = Expiry("a", enabled=True, noncurrent=35)
    assert retention.unlike(TOOL, "b", [rule]) == []
    (wrong,) = retention.unlike(TOOL, "b", [rule, Expiry("c", enabled=True, current=30)])
    assert "the document says never" in wrong.why


class Rules:
    """A client that knows one life-cycle rule."""

    def __init__(self, rule: dict[str, object]) -> None:
        self.rule = rule

    def get_bucket_lifecycle_configuration(self, **_: str) -> dict[str, object]:
        return {"Rules": [self.rule]}


@pytest.mark.parametrize(
    ("raw", "whole", "current"),
    [
        ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 3}}, True, 3),
        ({"Prefix": "", "Expiration": {"ExpiredObjectDeleteMarker": True}}, True, None),
        ({"Filter": {"Prefix": "etcd/"}, "Expiration": {"Date": "2027-01-01"}}, False, 0),
        ({"Filter": {"And": {"Tags": [1], "Prefix": ""}}}, False, None),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 5}}, False, None),
    ],
)
def test_a_rule_says_what_it_covers(raw: dict[str, object], whole: bool, current: int | None) -> None:
    (rule,) = S3(S3Access(), Rules({"ID": "x", "Status": "Enabled", **raw})).expiries("b")
    assert (rule.enabled, rule.whole, rule.current) == (True, whole, current)


def test_declared_rules_are_all_read() -> None:
    """Of both providers: a second rule counts as much as the first."""
    minio = {"rule": [{"id": "a", "expiration": "30d", "noncurrent_expiration": [{"days": "35d"}]},
                      {"id": "b", "filter": "etcd/", "expiration": "2027-01-01"}]}  # fmt: skip
    aws = {"rule": {"id": "c", "status": "Disabled", "filter": [{}], "expiration": [{"days": 30}],
                    "noncurrent_version_expiration": [{"noncurrent_days": 35}]}}  # fmt: skip
    found = declared_buckets(
        Resource(f"{kind}_{what}", "b", {"bucket": kind, **body}, "f:1")
        for kind, life, rules in (
            ("minio", "ilm_policy", minio),
            ("aws", "s3_bucket_lifecycle_configuration", aws),
        )
        for what, body in (("s3_bucket", {}), (life, rules))
    )
    rules = [rule for one in found for rule in one.rules]
    assert rules == [
        Expiry("a", enabled=True, current=30, noncurrent=35),
        Expiry("b", enabled=True, whole=False, current=0),
        Expiry("c", enabled=False, current=30, noncurrent=35),
    ]


DAYS = 86400


@pytest.mark.parametrize(("age", "said"), [(1, 0), (31.9, 0), (32.1, 1)])
def test_what_is_kept_too_long_is_named(age: float, said: int) -> None:
    assert len(retention.overdue(ONE, [version("etcd/a", age * DAYS)], 2, NOW)) == said
    old = [version(MANIFEST.key, age * DAYS), version("p/archive/p/archive.info", 400 * DAYS)]
    assert len(retention.overdue(TOOL, old, 2, NOW)) == said


def test_base_backups_are_whole_by_their_manifest() -> None:
    later = version("p/backup/p/20261125-010203F/bundle/1")
    history = version("p/backup/p/backup.history/2026/20261123-010203F.manifest.gz")
    copy = version("p/backup/p/20261125-010203F/backup.manifest.copy")
    first, second = retention.bases([later, history, copy, MANIFEST])
    assert (first.ref, first.whole) == ("Backup 20261124-010203F", MANIFEST.modified)
    assert (second.label, second.whole) == ("20261125-010203F", None)


def test_a_log_without_gaps_is_whole() -> None:
    whole = [segment(n) for n in range(250, 260)] + [segment(n, 2) for n in (259, 260)]
    assert retention.gaps([*whole, MANIFEST]) == []


def test_segments_are_named_and_follow_each_other() -> None:
    names = retention.segments([segment(255), segment(256), MANIFEST])
    assert names == {"0000000100000000000000FF", "000000010000000100000000"}
    assert following("0000000100000000000000FF") in names


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


def test_a_gap_is_named() -> None:
    (wrong,) = retention.gaps([segment(254), segment(255), segment(257), MANIFEST])
    assert wrong.ref == "Segment 000000010000000100000000"


def test_a_gap_between_two_timelines_is_named() -> None:
    """The old leader died with segments that nobody archived: the new one does not begin where it ended."""
    log = [segment(1), segment(2), segment(5, 2), MANIFEST]
    assert [one.ref[-8:] for one in retention.gaps(log)] == ["00000003", "00000004"]
    assert retention.gaps([segment(1), segment(2), segment(3), segment(2, 2), MANIFEST]) == []


def test_a_log_that_begins_after_the_backup_makes_nothing_whole() -> None:
    early = version(MANIFEST.key, age=60)
    assert retention.gaps([segment(1), version(segment(0).key, age=60), early]) == []
    (wrong,) = retention.gaps([segment(1), early])
    assert (wrong.ref, wrong.why) == ("Backup 20261124-010203F", "the log begins after it ended")


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
    assert isinstance(ciphertext.deep_fault([raw], [b"canary"]), str)


def test_a_setting_is_found_by_line(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("[global]\na=1\nkept = 30\n")
    assert retention.setting(tmp_path / "c", "kept") == ("30", 3)
    assert retention.setting(tmp_path / "c", "other") == ("", 0)
