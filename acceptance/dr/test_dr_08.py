"""DR-08: backups are kept for as long as the document says, and the oldest one still restores."""

import datetime as dt

import pytest

from assay.backups.oldest import look
from assay.backups.places import bucket_of, shown_in
from assay.backups.postgres_archive import LAYOUTS, read_archive
from assay.backups.retention import (
    RetentionRule,
    documented,
    overdue,
    set_otherwise,
    undeclared_retention,
    unlike,
)
from assay.config.platform import Service
from assay.errors import ProbeError
from assay.model import Offender, Record
from assay.probes.terraform.buckets import declared_buckets
from assay.stack import DrillStack, ReadStack


@pytest.mark.control("DR-08", tier="static")
def test_the_sources_say_what_the_document_says(stack: ReadStack, control: Record) -> None:
    """Compare the document's days and objectives with Terraform, the profile and the tools' own settings."""
    kept = {rule.service: rule for rule in control.population(documented(stack.paths.backups_doc))}
    buckets = {one.bucket: one for one in declared_buckets(stack.hcl.resources())}
    services = {one.name: one for one in stack.platform.services}
    missing = [f"Service {name}" for name in services if name not in kept]
    control.offenders(missing, "is not in the document")
    for name, rule in kept.items():
        if name not in services:
            control.offender(rule, "is in the document and no declared service")
            continue
        service = services[name]
        bucket = buckets.get(bucket_of(stack.profile, service))
        control.offenders(undeclared_retention(rule, bucket, service.rpo_s))
        if service.backup in LAYOUTS and service.settings is not None:
            file = stack.planted(service.settings)
            control.offenders(set_otherwise(rule, service.backup, file, stack.paths.gitops))
    assert not control.found


@pytest.mark.control("DR-08", tier="live")
def test_the_oldest_point_opens(stack: ReadStack, control: Record) -> None:
    """Judge the buckets' rules and ages, open the oldest point of each service, follow PostgreSQL's log."""
    for rule in control.population(documented(stack.paths.backups_doc)):
        service = stack.platform.service(rule.service)
        if service is None:
            control.offender(rule, "is in the document and no declared service")
            continue
        try:
            judge_oldest(stack, control, rule, service)
        except ProbeError as problem:
            control.unread(rule, problem)
    assert not control.found


def judge_oldest(stack: ReadStack, control: Record, rule: RetentionRule, service: Service) -> None:
    """Judge that nothing of a service is kept too long, and that its oldest point is whole."""
    bucket, late, now = bucket_of(stack.profile, service), control.limit("late"), dt.datetime.now(dt.UTC)
    control.offenders(unlike(rule, f"Bucket {bucket}", stack.s3.expiries(bucket)))
    shown = shown_in(stack.s3, stack.profile, service)
    if service.backup in LAYOUTS:
        archive = read_archive(stack.s3, service.backup, shown)
        control.population([*archive.bases, *archive.log])
        made = [(base.ref, base.whole) for base in archive.bases if base.whole]
        control.offenders(overdue(rule, made, late, now))
        control.offenders(archive.gaps(service.name))
        return
    seen = look(shown, rule, late, now)
    control.sample(seen.oldest, of=seen.count)
    control.note(
        service.name, f"{seen.count} objects, the oldest of {seen.oldest[0].modified:%Y-%m-%d %H:%M}"
    )
    control.offenders(seen.overdue)
    fault_of = stack.restorable.opener(service)
    control.offenders(Offender(one.ref, why) for one in seen.oldest if (why := fault_of(one)))


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
