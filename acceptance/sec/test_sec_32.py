"""SEC-32: what is uploaded as a backup cannot be taken away again, by nobody, for the declared time."""

import pytest

from assay.backups.bucket_policy import risky_grants
from assay.backups.listing import judged_versions
from assay.errors import PairError, ProbeError
from assay.model import Offender, Record
from assay.probes.terraform.buckets import declared_buckets
from assay.stack import DecoyStack, ReadStack


UNDECIDED = ProbeError("the sources do not decide its name or its lock", "give it a plan, or literal values")
UNDECLARED = ProbeError(
    "is not in the Terraform sources",
    "add the root that makes it to infra under [paths], or say who makes it: [[platform.buckets_elsewhere]]",
)
LIVE_ALONE = "its declaration is not at hand: let the live half judge the bucket, --tier live"
ATTEMPTS = "attempts to lose a locked version, with each key"


@pytest.mark.control("SEC-32", tier="static")
def test_buckets_are_declared_with_a_lock(stack: ReadStack, control: Record) -> None:
    """Judge every bucket for backups in the Terraform sources: lock, versioning, mode and days."""
    platform, days = stack.platform, control.limit("declared_days")
    names = {*stack.profile.s3.buckets.values(), *(one.bucket for one in platform.services)} - {""}
    elsewhere = {one.name: one.reason for one in platform.buckets_elsewhere if one.name in names}
    at_hand = stack.paths.declared.infra or names - elsewhere.keys() or not names
    found = declared_buckets(stack.hcl.resources()) if at_hand else []
    missing = names - {one.bucket for one in found}
    wanted = missing - elsewhere.keys()
    # One without a name that the sources tell may be one of those that are missing.
    judged = [one for one in found if one.bucket in names or (wanted and not one.bucket)]
    for one in control.population(judged) if judged or not missing or wanted else ():
        if one.bucket and (why := one.fault(days)):
            control.offender(one.shown, why)
        if one.undecided or not one.bucket:
            control.unread(one.ref, UNDECIDED)
    for name in sorted(wanted):
        control.unread(f"Bucket {name}", UNDECLARED)
    for name in sorted(missing - wanted):
        control.unchecked(
            f"the declaration of Bucket {name}", f"made elsewhere: {elsewhere[name]}", LIVE_ALONE
        )
    assert not control.found


@pytest.mark.control("SEC-32", tier="live")
def test_locked_versions_outlive_every_key(stack: ReadStack, control: Record) -> None:
    """Judge lock and policy of each bucket and the lock of its versions; where allowed, try to lose one."""
    s3, days = stack.s3, control.limit("lock_days")
    for lock in control.population(s3.lock(bucket) for bucket in s3.judged_buckets()):
        control.offenders([lock] if (why := lock.fault(days)) else [], why)
        try:
            control.offenders(risky_grants(lock.bucket, s3.policy(lock.bucket)))
        except ProbeError as problem:
            control.unread(f"policy of {lock.ref}", problem)
        versions = judged_versions(s3, lock.bucket, control, lambda one: not one.marker)
        control.offenders(Offender(one.ref, why) for one in s3.holds(versions) if (why := one.fault(days)))
    if (trying := stack.if_allowed(DecoyStack, control, ATTEMPTS)) is not None:
        try_to_lose(trying, control)
    assert not control.found


def try_to_lose(stack: DecoyStack, control: Record) -> None:
    """Try what each key could do to a locked canary and its bucket, and have back what a ransom took."""
    trials = stack.lock_trials()
    if not trials:
        remedy = "make a bucket as those for backups are made; set canary_bucket and canary_key under [s3]"
        control.unchecked(ATTEMPTS, "the profile names no canary bucket", remedy)
    by_lock, by_right = control.listed("lock"), control.listed("rights")
    for trial in trials:
        for tried in control.population(trial.attempts()):
            try:
                control.refused(tried.attempt, tried.baseline, tried.layer(by_lock, by_right))
            except PairError as problem:
                control.unread(tried.attempt.ref, problem)
        control.offenders(trial.lost(), "not given back as of before it was overwritten")
