"""SEC-32's static half where Terraform does not make every bucket: what the profile says of the others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.config.platform import BucketElsewhere, Platform, Service
from assay.config.trees import SourceTree
from assay.errors import ProbeError
from assay.model import Tier, Verdict
from assay.probes.terraform.sources import TerraformSources
from tests.unit.support.judging import judged


LOCKED = """
resource "minio_s3_bucket" "NAME" {
  bucket         = "NAME-backups"
  object_locking = true
}
resource "minio_s3_bucket_retention" "NAME" {
  bucket          = "NAME-backups"
  mode            = "COMPLIANCE"
  unit            = "DAYS"
  validity_period = 30
}
"""
BY_HAND = BucketElsewhere("vault-backups", "made in the console")
ALL = (BY_HAND, BucketElsewhere("etcd-backups", "made by Crossplane"))


def verdict(
    folder: Path, text: str | None, elsewhere: tuple[BucketElsewhere, ...] = (), *services: Service
) -> tuple[Verdict, str]:
    """Judge the buckets of etcd and Vault by sources with `text`; None: the profile names no sources."""
    (folder / "main.tf").write_text(text or "")
    tree = SourceTree(folder, "infra")
    stack = SimpleNamespace(
        profile=SimpleNamespace(
            s3=SimpleNamespace(buckets={"etcd": "etcd-backups", "vault": "vault-backups"})
        ),
        platform=Platform(buckets_elsewhere=elsewhere, services=services),
        paths=SimpleNamespace(declared=SimpleNamespace(infra=() if text is None else (tree,))),
    )
    if text is not None:
        stack.hcl = TerraformSources([tree])
    found, said, _ = judged("SEC-32", Tier.STATIC, stack)
    return found, said


ETCD, VAULT = LOCKED.replace("NAME", "etcd"), LOCKED.replace("NAME", "vault")


def test_every_bucket_is_declared(tmp_path: Path) -> None:
    assert verdict(tmp_path, ETCD + VAULT)[0] is Verdict.PASS


def test_one_that_nobody_speaks_of_is_an_error_that_names_the_table(tmp_path: Path) -> None:
    found, said = verdict(tmp_path, ETCD)
    assert found is Verdict.ERROR
    assert "Bucket vault-backups" in said


@pytest.mark.parametrize("text", [ETCD, ""])
def test_one_that_is_made_elsewhere_does_not_pass_unseen(tmp_path: Path, text: str) -> None:
    found, said = verdict(tmp_path, text, ALL)
    assert found is Verdict.NOT_CHECKED
    assert "Bucket vault-backups: made elsewhere: made in the console" in said


def test_without_terraform_all_are_made_elsewhere(tmp_path: Path) -> None:
    found, said = verdict(tmp_path, None, ALL)
    assert found is Verdict.NOT_CHECKED
    assert "etcd-backups" in said


def test_the_others_are_judged_all_the_same(tmp_path: Path) -> None:
    found, said = verdict(tmp_path, ETCD.replace("true", "false"), (BY_HAND,))
    assert found is Verdict.FAIL
    assert "Bucket etcd-backups" in said


def test_one_that_is_declared_after_all_is_judged(tmp_path: Path) -> None:
    found, said = verdict(tmp_path, ETCD + VAULT.replace("30", "7"), (BY_HAND,))
    assert found is Verdict.FAIL
    assert "Bucket vault-backups" in said
    assert verdict(tmp_path, ETCD + VAULT, (BY_HAND,))[0] is Verdict.PASS


def test_one_without_a_name_in_the_sources_excuses_nothing(tmp_path: Path) -> None:
    nameless = 'resource "aws_s3_bucket" "x" {\n  bucket = var.unknown\n}\n'
    assert verdict(tmp_path, ETCD + nameless, ())[0] is Verdict.ERROR


def test_the_bucket_of_a_service_counts_too(tmp_path: Path) -> None:
    found, said = verdict(tmp_path, ETCD + VAULT, (), Service("shop", bucket="shop-backups"))
    assert found is Verdict.ERROR
    assert "Bucket shop-backups" in said


def test_a_reason_does_not_help_where_terraform_is_needed_and_missing() -> None:
    """The stack of a profile without sources raises when they are asked for."""

    class Bare(SimpleNamespace):
        @property
        def hcl(self) -> object:
            raise ProbeError("the profile names no infra", "set infra under [paths]")

    stack = Bare(
        profile=SimpleNamespace(s3=SimpleNamespace(buckets={"etcd": "etcd-backups"})),
        platform=Platform(buckets_elsewhere=(BY_HAND,)),
        paths=SimpleNamespace(declared=SimpleNamespace(infra=())),
    )
    assert judged("SEC-32", Tier.STATIC, stack)[0] is Verdict.ERROR
