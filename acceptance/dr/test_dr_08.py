"""DR-08: backups are kept for as long as the document says, and the oldest one still restores."""

import datetime as dt

import pytest

from assay.backups.retention import documented, gaps, overdue, setting, snapshot_fault, undeclared, unlike
from assay.model import Offender, Record
from assay.probes.terraform.buckets import declared_buckets
from assay.stack import DrillStack, ReadStack


@pytest.mark.control("DR-08", tier="static")
def test_the_sources_say_what_the_document_says(stack: ReadStack, control: Record) -> None:
    """Compare the document's days and objectives with Terraform, the profile and pgBackRest's setting."""
    kept = control.population(documented(stack.paths.backups_doc))
    buckets = {one.bucket: one for one in declared_buckets(stack.hcl.resources())}
    (suffix,), (file, name) = control.listed("backups"), control.listed("pgbackrest")
    bucketed = {one.bucket.removesuffix(suffix) for one in buckets.values() if one.backs_up(suffix)}
    missing = sorted(bucketed - {one.service for one in kept})
    control.offenders(Offender(f"Service {name}", "is not in the document") for name in missing)
    for one in kept:
        objective = stack.profile.rpo(one.service)
        control.offenders(undeclared(one, buckets.get(f"{one.service}{suffix}"), objective))
        if one.service == "postgres":
            value, line = setting(stack.paths.in_gitops(file), name)
            wrong = [
                Offender(f"File gitops/{file}:{line}", f"{name} is {value or 'not set'}, not {one.kept}")
            ]
            control.offenders(wrong if value != str(one.kept) else [])
    assert not control.found


@pytest.mark.control("DR-08", tier="live")
def test_the_oldest_point_opens(stack: ReadStack, control: Record) -> None:
    """Judge the buckets' rules and ages, open the oldest snapshot of each, follow PostgreSQL's log."""
    s3, escrow = stack.s3, stack.profile.need_path("escrow.folder")
    late, moment = control.limit("late"), dt.datetime.now(dt.UTC)
    for one in control.population(documented(stack.paths.backups_doc)):
        bucket = s3.buckets.get(one.service, "")
        if not bucket:
            control.offenders([Offender(one.ref, "no bucket is declared for it")])
            continue
        control.offenders(unlike(one, f"Bucket {bucket}", s3.expiries(bucket)))
        shown = [version for version in s3.versions(bucket) if version.shown]
        oldest = min(control.population(shown), key=lambda v: v.key)
        control.note(one.service, f"{len(shown)} objects, the oldest of {oldest.modified:%Y-%m-%d %H:%M}")
        control.offenders(overdue(one, shown, late, moment))
        if one.service == "etcd":
            fault = stack.points.open(oldest).fault
        elif one.service == "vault":
            identity = escrow / "vault-backup.agekey"
            fault = snapshot_fault(s3, oldest, stack.profile.need_path("tools.age"), identity)
        else:
            fault = ""
            control.offenders(gaps(shown))
        control.offenders([Offender(oldest.ref, fault)] if fault else [])
    assert not control.found


@pytest.mark.control("DR-08", tier="drill")
def test_the_oldest_base_backup_comes_back(stack: DrillStack, control: Record) -> None:
    """Restore PostgreSQL's oldest base backup by the runbook, to the moment after it was whole."""
    result = stack.drills.restore_oldest("postgres")
    for key, fact in result.notes.items():
        control.note(key, fact)
    control.offenders(result.offenders)
    control.population(result.compared)
    control.population(range(result.acked))
    assert not control.found
