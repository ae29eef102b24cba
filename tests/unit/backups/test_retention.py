"""How long backups are kept, offline: the document's table, sources, rules, settings of tools."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from assay.backups import retention
from assay.backups.oldest import look
from assay.backups.retention import RetentionRule, documented
from assay.config.platform import Platform, Service
from assay.config.profile import S3Access
from assay.config.trees import source_trees
from assay.errors import ProbeError
from assay.formats.resource import Resource
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


def test_the_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "d.md").write_text(TABLE)
    assert documented(tmp_path / "d.md") == [ONE, TOOL]


def test_document_and_profile_name_the_same_services(tmp_path: Path) -> None:
    """Each row goes with its service, and what only one of the two knows is named."""
    (tmp_path / "d.md").write_text(TABLE)
    etcd, queue = Service("etcd"), Service("queue")
    found = retention.documented_services(tmp_path / "d.md", Platform(services=(etcd, queue)))
    assert found.pairs == ((ONE, etcd),)
    assert [(one.ref, one.why) for one in found.unmatched] == [
        ("Service postgres", "is in the document and not a declared service"),
        ("Service queue", "is not in the document"),
    ]


@pytest.mark.parametrize("text", ["", "| Service |\n|---|\n| etcd |\n", TABLE.replace("| 30 |", "| soon |")])
def test_no_table_is_no_promise(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.md").write_text(text)
    with pytest.raises(ProbeError):
        documented(tmp_path / "d.md")


def test_the_project_s_own_document_is_read() -> None:
    found = documented(Path(__file__).parents[3] / "docs" / "backups-and-restore.md")
    assert [one.service for one in found] == ["etcd", "vault", "postgres"]


def test_what_is_declared_as_documented_is_right() -> None:
    assert retention.undeclared_retention(ONE, bucket(), 3600.0) == []


@pytest.mark.parametrize(
    ("found", "lost", "said"),
    [(None, 3600.0, 1), (bucket(days=14), 3600.0, 1), (bucket(noncurrent=7), 3600.0, 2),
     (bucket(current=3), 3600.0, 2), (bucket(noncurrent=None), 3600.0, 1), (bucket(), 60.0, 1),
     (bucket(), None, 1)],
)  # fmt: skip
def test_each_difference_is_named(found: DeclaredBucket | None, lost: float | None, said: int) -> None:
    assert len(retention.undeclared_retention(ONE, found, lost)) == said


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
    made = [("Object b/etcd/a", NOW - dt.timedelta(days=age))]
    assert len(retention.overdue(ONE, made, 2, NOW)) == said


def test_the_oldest_by_time_and_by_name_are_found_and_what_is_overdue() -> None:
    shown = [version("etcd/c", 40 * DAYS), version("etcd/a", 3 * DAYS), version("etcd/b", DAYS)]
    seen = look(iter(shown), ONE, 2, NOW)
    assert (seen.count, [one.key for one in seen.oldest]) == (3, ["etcd/c", "etcd/a"])
    assert [one.ref for one in seen.overdue] == ["Object b/etcd/c"]
    assert look(iter(shown[:1]), TOOL, 2, NOW).overdue == []
    assert look(iter(()), ONE, 2, NOW).oldest == []


def test_a_setting_is_found_by_line(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("[global]\na=1\nkept = 30\n")
    assert retention.setting(tmp_path / "c", "kept") == ("30", 3)
    assert retention.setting(tmp_path / "c", "other") == ("", 0)
    (tmp_path / "cluster.yaml").write_text('spec:\n  backup:\n    retentionPolicy: "30d"\n')
    assert retention.setting(tmp_path / "cluster.yaml", "retentionPolicy") == ("30d", 3)


@pytest.mark.parametrize(("tool", "text", "said"), [
    ("pgbackrest", "repo1-retention-full=30\n", ""),
    ("pgbackrest", "repo1-retention-full=1\n", "is 1, not 30"),
    ("pgbackrest", "#repo1-retention-full=30\n", "is not set"), ("barman", "  retentionPolicy: 30d\n", ""),
    ("barman", "  retentionPolicy: 7d\n", "is 7d, not 30"),
])  # fmt: skip
def test_a_tool_that_is_told_otherwise_is_named(tmp_path: Path, tool: str, text: str, said: str) -> None:
    (tmp_path / "gitops").mkdir()
    file = tmp_path / "gitops" / "settings"
    file.write_text(text)
    service = Service(TOOL.service, backup=tool, settings=file)
    wrong = retention.set_otherwise(TOOL, service, lambda path: path, source_trees([tmp_path / "gitops"]))
    assert [said in one.why for one in wrong] == ([True] if said else [])
    assert all(one.ref.startswith("File gitops/settings:") for one in wrong)
