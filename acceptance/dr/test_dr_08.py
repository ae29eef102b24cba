"""DR-08: backups are kept for as long as the document says, and the oldest one still restores."""

import pytest

from assay.model import Offender, Record
from assay.probes.bucket_code import declared_buckets
from assay.probes.points import Points
from assay.probes.retention import documented, early, gaps, setting, snapshot_fault, undeclared
from assay.stack import Stack


DOCUMENT = "backups-and-restore.md"


@pytest.mark.control("DR-08", tier="static")
def test_the_sources_say_what_the_document_says(stack: Stack, control: Record) -> None:
    """Compare the document's days and objectives with Terraform, the profile and pgBackRest's setting."""
    kept = control.population(documented(stack.paths.runbook.with_name(DOCUMENT)))
    buckets = {one.bucket: one for one in declared_buckets(stack.hcl.resources())}
    (suffix,), (file, name) = control.listed("backups"), control.listed("pgbackrest")
    bucketed = {one.bucket.removesuffix(suffix) for one in buckets.values() if one.backs_up(suffix)}
    missing = sorted(bucketed - {one.service for one in kept})
    control.offenders(Offender(f"Service {name}", "is not in the document") for name in missing)
    for one in kept:
        objective = stack.profile.declared.get(f"ACC-10.rpo_{one.service}")
        control.offenders(undeclared(one, buckets.get(f"{one.service}{suffix}"), objective))
        if one.service == "postgres":
            value, line = setting(stack.paths.gitops / file, name)
            wrong = [
                Offender(f"File gitops/{file}:{line}", f"{name} is {value or 'not set'}, not {one.kept}")
            ]
            control.offenders(wrong if value != str(one.kept) else [])
    assert not control.found


@pytest.mark.control("DR-08", tier="live")
def test_the_oldest_point_restores(stack: Stack, control: Record) -> None:
    """Judge the buckets' rules, then open the oldest snapshot of each service and follow PostgreSQL's log."""
    s3, escrow = stack.s3, stack.profile.need_path("escrow.folder")
    for one in control.population(documented(stack.paths.runbook.with_name(DOCUMENT))):
        bucket = s3.buckets.get(one.service, "")
        if not bucket:
            control.offenders([Offender(one.named, "no bucket is declared for it")])
            continue
        control.offenders(early(one, s3.expiries(bucket)))
        shown = [version for version in s3.versions(bucket) if version.shown]
        oldest = min(control.population(shown), key=lambda v: v.key)
        control.note(one.service, f"{len(shown)} objects, the oldest of {oldest.modified:%Y-%m-%d %H:%M}")
        if one.service == "etcd":
            fault = Points.from_profile(stack.profile).open(oldest).fault
        elif one.service == "vault":
            identity = escrow / "vault-backup.agekey"
            fault = snapshot_fault(s3, oldest, stack.profile.need_path("tools.age"), identity)
        else:
            fault = ""
            control.offenders(gaps(shown))
        control.offenders([Offender(oldest.named, fault)] if fault else [])
    assert not control.found
