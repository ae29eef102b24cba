"""`assay init`: services, buckets and keys from the document on backups, the CronJobs and the sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assay.preflight.backups import backups
from assay.preflight.profile_text import Finding, Findings


DOCUMENT = """# Copies
| Service | Lost at most | Kept days | Ended by | Locked days | Removed after days | Encrypted with |
|---|---|---|---|---|---|---|
| state | 3600 s | 30 | bucket | 30 | 30 | age, `state.agekey` |
| sales | 300 s | 30 | pgBackRest | 30 | 35 | AES by `tool`, `sales-passphrase` |
| keys | 600 s | 30 | bucket | 30 | 30 | age |

| Service | Where to | Section of the runbook |
|---|---|---|
| keys | beside it | Bring the keys back |
"""
BUCKETS = "\n".join(
    f'resource "aws_s3_bucket" "{name}" {{\n  bucket = "{name}"\n}}' for name in ("nw-state", "nw-sales")
)


def job(name: str, space: str, command: str, config: str = "", **annotations: str) -> dict[str, Any]:
    """Return a CronJob as the API writes it."""
    volumes = [{"configMap": {"name": config}}] if config else []
    template = {"spec": {"containers": [{"command": command.split()}], "volumes": volumes}}
    meta = {
        "name": name,
        "namespace": space,
        "annotations": {k.replace("_", "/"): v for k, v in annotations.items()},
    }
    return {"metadata": meta, "spec": {"jobTemplate": {"spec": {"template": template}}}}


class Cluster:
    """The cluster of a platform that uses its own words for everything."""

    def __init__(self, *jobs: Mapping[str, Any]) -> None:
        self.jobs = list(jobs)

    def objects(self, kind: str, namespace: str = "", version: str = "") -> list[Mapping[str, Any]]:
        """Return CronJobs, or the one ConfigMap of a namespace that has settings."""
        if kind == "CronJob":
            assert version == "batch/v1"
            return self.jobs
        data = {
            "archive": {
                "run.sh": "talosctl etcd snapshot",
                "ENDPOINT": "https://s3.example",
                "BUCKET": "nw-state",
            },
            "ledgers": {"site.conf": "repo1-s3-bucket=nw-sales\nrepo1-s3-region=fsn1"},
        }[namespace]
        return [
            {"metadata": {"name": "settings"}, "data": data},
            {"metadata": {"name": "another"}, "data": {"a": "https://elsewhere.example"}},
        ]


STATE = job("state-copy", "archive", "sh run.sh", "settings", nw_protects="state", other="state-of-things")
SALES = job("copy", "ledgers", "pgbackrest backup", "settings")


def known(folder: Path, document: str = DOCUMENT) -> Findings:
    files = {
        "copies.md": document, "infra/main.tf": BUCKETS,
        "pg/tool.conf": "repo1-path=/archive\nrepo1-retention-full=30\n", "pg/other.conf": "x=1\n",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    found = Findings()
    found.put("paths.backups_doc", str(folder / "copies.md"), "here")
    found.put("paths.infra", str(folder / "infra"), "here")
    found.put("paths.repositories", str(folder), "here")
    spaces = ("ledgers", "safe")
    found.tables["platform.services"] = [
        {"name": Finding("etcd", "here")},
        *({"name": Finding(one, "x"), "owns": Finding([f"* {one}/*"], "x")} for one in spaces),
    ]
    return found


def asked(found: Findings, *jobs: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    backups(Cluster(*jobs), found)  # type: ignore[arg-type]
    rows = found.tables["platform.services"]
    return {str(row["name"].value): {key: one.value for key, one in row.items()} for row in rows}


def test_services_are_those_of_the_document_with_all_that_is_known(tmp_path: Path) -> None:
    found = known(tmp_path)
    rows = asked(found, STATE, SALES)
    assert list(rows) == ["state", "sales", "keys"]
    assert rows["state"] == {
        "name": "state",
        "rpo_s": 3600.0,
        "key": "state.agekey",
        "backup": "etcd-snapshot",
    }
    assert rows["sales"] == {
        "name": "sales", "rpo_s": 300.0, "key": "sales-passphrase", "backup": "pgbackrest",
        "settings": str(tmp_path / "pg/tool.conf"), "prefix": "archive/", "owns": ["* ledgers/*"],
    }  # fmt: skip
    assert rows["keys"]["section"] == "Bring the keys back"
    assert rows["keys"]["owns"] == ["* safe/*"], "the only one left"
    owned = found.tables["platform.services"][2]["owns"]
    assert owned.proposed, "by elimination: for the owner to confirm"


def test_annotation_store_and_buckets_are_read_from_the_jobs(tmp_path: Path) -> None:
    found = known(tmp_path)
    asked(found, STATE, SALES)
    values = {key: one.value for key, one in found.keys.items()}
    assert values["platform.annotations.backup_of"] == "nw/protects"
    assert values["s3.endpoint"] == "https://s3.example"
    assert values["s3.region"] == "fsn1"
    assert values["s3.buckets"] == {"state": "nw-state", "sales": "nw-sales"}


def test_without_jobs_the_document_alone_counts_and_no_namespace_is_given_away(tmp_path: Path) -> None:
    found = known(tmp_path)
    rows = asked(found)
    assert {"state", "sales", "keys", "ledgers", "safe"} == rows.keys()
    assert rows["state"] == {"name": "state", "rpo_s": 3600.0, "key": "state.agekey"}
    assert "s3.buckets" not in found.keys


def test_two_jobs_for_what_is_left_are_no_answer(tmp_path: Path) -> None:
    rows = asked(
        known(tmp_path),
        STATE,
        job("a", "ledgers", "pgbackrest backup"),
        job("b", "ledgers", "pgbackrest backup"),
    )
    assert "backup" not in rows["sales"]


@pytest.mark.parametrize("key", ["paths.backups_doc"])
def test_without_a_document_nothing_changes(tmp_path: Path, key: str) -> None:
    found = known(tmp_path)
    del found.keys[key]
    assert list(asked(found, STATE)) == ["etcd", "ledgers", "safe"]
