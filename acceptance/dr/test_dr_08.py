"""DR-08: backups are kept for as long as the document says, and the oldest one still restores."""

import datetime as dt

import pytest

from assay.backups.places import bucket_of
from assay.backups.postgres_archive import LAYOUTS
from assay.backups.retention import documented_services, set_otherwise, undeclared_retention, unlike
from assay.errors import ProbeError
from assay.model import Record
from assay.probes.terraform.buckets import declared_buckets
from assay.stack import DrillStack, ReadStack


NO_DRILL = "no drill restores its oldest backup: the profile names no section of the runbook for it"


@pytest.mark.control("DR-08", tier="static")
def test_the_sources_say_what_the_document_says(stack: ReadStack, control: Record) -> None:
    """Compare the document's days and objectives with Terraform, the profile and the tools' own settings."""
    known = documented_services(stack.paths.backups_doc, stack.platform)
    control.offenders(known.unmatched)
    for rule, service in control.population(known.pairs):
        with control.part(f"the sources of {rule.ref}"):
            buckets = {one.bucket: one for one in declared_buckets(stack.hcl.resources())}
            bucket = buckets.get(bucket_of(stack.profile, service))
            control.offenders(undeclared_retention(rule, bucket, service.rpo_s))
        with control.part(f"the settings of {rule.ref}"):
            control.offenders(set_otherwise(rule, service, stack.planted, stack.paths.gitops))
    assert not control.found


@pytest.mark.control("DR-08", tier="live")
def test_the_oldest_point_opens(stack: ReadStack, control: Record) -> None:
    """Judge the buckets' rules and ages, open the oldest point of each service, follow PostgreSQL's log."""
    late, now = control.limit("late"), dt.datetime.now(dt.UTC)
    known = documented_services(stack.paths.backups_doc, stack.platform)
    control.offenders(known.unmatched)
    for rule, service in control.population(known.pairs):
        try:
            bucket = bucket_of(stack.profile, service)
            control.offenders(unlike(rule, f"Bucket {bucket}", stack.s3.expiries(bucket)))
            kept = stack.restorable.kept(service, rule, late, now)
            control.sample(kept.judged, of=kept.count)
            control.note(service.name, f"{kept.count} points, among them {kept.judged[0]}")
            control.offenders(kept.wrong)
        except ProbeError as problem:
            control.unread(rule, problem)
    assert not control.found


@pytest.mark.control("DR-08", tier="drill")
def test_the_oldest_base_backup_comes_back(stack: DrillStack, control: Record) -> None:
    """Restore PostgreSQL's oldest base backup by the runbook, to the moment after it was whole."""
    services = stack.platform.made_by(*LAYOUTS)
    control.assume(bool(services), f"no declared service has backups by {' or '.join(LAYOUTS)}")
    for service in control.population(services):
        if stack.drills.restores_oldest(service):
            stack.drills.restore_oldest(service).compare(control)
        else:
            control.unchecked(service.name, NO_DRILL, "set section of [[platform.services]]")
    assert not control.found
