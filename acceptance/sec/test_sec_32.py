"""SEC-32: what is uploaded as a backup cannot be taken away again, by nobody, for the declared time."""

import pytest

from assay.backups.lock_trial import lock_trials, reader
from assay.model import Offender, Record
from assay.probes.terraform.buckets import declared_buckets
from assay.stack import ReadStack, WriteStack


NAMES = ("base", "log", "manifest")


@pytest.mark.control("SEC-32", tier="static")
def test_buckets_are_declared_with_a_lock(stack: ReadStack, control: Record) -> None:
    """Judge every bucket for backups in the Terraform sources: lock, versioning, mode and days."""
    (suffix,) = control.listed("backups")
    found = declared_buckets(stack.hcl.resources())
    buckets = control.population(one for one in found if one.backs_up(suffix))
    unknown = [one.ref for one in buckets if one.undecided]
    days = control.limit("declared_days")
    control.offenders(Offender(one.shown, why) for one in buckets if (why := one.fault(days)))
    control.assume(not unknown, f"the sources do not decide the lock of {', '.join(unknown)}")
    assert not control.found


@pytest.mark.control("SEC-32", tier="live")
def test_locked_versions_outlive_every_key(stack: WriteStack, control: Record) -> None:
    """Judge each bucket's lock and each version's, then try to lose canaries with every key there is."""
    s3, days = stack.s3, control.limit("lock_days")
    locks = control.population(s3.lock(bucket) for bucket in s3.every())
    control.offenders(Offender(lock.ref, why) for lock in locks if (why := lock.fault(days)))
    tried = [trial for lock in locks for trial in lock_trials(s3, lock)]
    canaries = [trial.canary("locked", b"canary") for trial in tried]
    held = control.population(hold for lock in locks for hold in s3.holds(s3.versions(lock.bucket)))
    control.offenders(Offender(hold.ref, why) for hold in held if (why := hold.fault(days)))
    by_lock = [pair for trial, canary in zip(tried, canaries, strict=True) for pair in trial.by_lock(canary)]
    by_right = [pair for trial in tried for pair in trial.by_right()]
    by_right += [pair for lock in locks for pair in reader(s3, lock).read_only()]
    for pairs, layers in ((by_lock, control.listed("lock")), (by_right, control.listed("rights"))):
        for pair in control.population(pairs):
            control.refused(pair.attempt, pair.baseline, pair.layer(layers))
    ransoms = control.population(trial.ransom(NAMES) for trial in tried)
    lost = [name for ransom in ransoms for name in ransom.lost(s3)]
    control.offenders(Offender(name, "not given back as of before it was overwritten") for name in lost)
    assert not control.found
