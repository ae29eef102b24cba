"""Buckets in Terraform sources: what locks one, and what only looks so. Offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.config.trees import SourceTree
from assay.probes.terraform.buckets import declared_buckets
from assay.probes.terraform.sources import TerraformSources


def bucket(kind: str = "aws_s3_bucket", body: str = "") -> str:
    return f'resource "{kind}" "b" {{\n  bucket = "backups"\n  {body}\n}}\n'


def retention(
    name: str = "r", target: str = "aws_s3_bucket.b.id", mode: str = "COMPLIANCE", days: int = 30
) -> str:
    inner = f'rule {{\n    default_retention {{\n      mode = "{mode}"\n      days = {days}\n    }}\n  }}'
    kind = "aws_s3_bucket_object_lock_configuration"
    return f'resource "{kind}" "{name}" {{\n  bucket = {target}\n  {inner}\n}}\n'


VERSIONED = (
    'resource "aws_s3_bucket_versioning" "v" {\n  bucket = aws_s3_bucket.b.id\n'
    '  versioning_configuration {\n    status = "Enabled"\n  }\n}\n'
)
MINIO = bucket("minio_s3_bucket", "object_locking = true") + (
    'resource "minio_s3_bucket_retention" "r" {\n  bucket = minio_s3_bucket.b.bucket\n'
    '  mode = "COMPLIANCE"\n  unit = "DAYS"\n  validity_period = 30\n}\n'
)


def fault(folder: Path, text: str) -> str:
    (folder / "main.tf").write_text(text)
    (found,) = declared_buckets(TerraformSources([SourceTree(folder, "infra")]).resources())
    assert not found.undecided
    return found.fault(30)


@pytest.mark.parametrize("text", [
    bucket(body="object_lock_enabled = true") + retention(), bucket() + VERSIONED + retention(), MINIO,
], ids=["from its making", "later, versioned", "the provider of Hetzner's storage"])  # fmt: skip
def test_a_bucket_that_is_locked(tmp_path: Path, text: str) -> None:
    assert fault(tmp_path, text) == ""


@pytest.mark.parametrize("text", [
    bucket() + retention(), bucket() + VERSIONED, bucket(body="object_lock_enabled = true"),
    bucket() + VERSIONED + retention(mode="GOVERNANCE"), bucket() + VERSIONED + retention(days=7),
    MINIO.replace("object_locking = true", ""),
])  # fmt: skip
def test_a_bucket_that_is_not(tmp_path: Path, text: str) -> None:
    assert fault(tmp_path, text)


def test_two_retentions_of_one_bucket_overwrite_each_other(tmp_path: Path) -> None:
    text = bucket(body="object_lock_enabled = true") + retention()
    both = text + retention("old", '"backups"', "GOVERNANCE", 1)
    assert "overwrite each other" in fault(tmp_path, both)
    assert "aws_s3_bucket_object_lock_configuration.old" in fault(tmp_path, both)
