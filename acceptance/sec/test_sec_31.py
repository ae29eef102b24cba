"""SEC-31: what lies in the object storage is ciphertext, and its key lies elsewhere."""

import pytest

from assay.backups.ciphertext import INFO, deep_fault, fault, heads, kept_secrets
from assay.model import Offender, Record
from assay.stack import ReadStack


@pytest.mark.control("SEC-31", tier="live")
def test_backups_are_ciphertext(stack: ReadStack, control: Record) -> None:
    """Judge how every version begins, and the newest ones whole; the escrowed keys must open one of each."""
    s3, budget = stack.s3, control.limit("read_whole")
    canaries = [text.encode() for text in (*control.listed("canaries"), stack.profile.cluster_uid)]
    canaries += kept_secrets(stack.profile.need_path("escrow.folder"))
    whole, listed = 0, {bucket: s3.versions(bucket) for bucket in s3.every()}
    for every in listed.values():
        found = [one for one in every if not one.marker and not one.canary]
        versions = control.population(sorted(found, key=lambda one: one.modified, reverse=True))
        begun = zip(versions, heads(s3, versions), strict=True)
        plain = [(one, why) for one, head in begun if (why := fault(head))]
        control.offenders(Offender(one.ref, why) for one, why in plain)
        left = budget
        for one in versions:
            if one.size <= left:
                left -= one.size
                whole += 1
                if why := deep_fault(s3.read(one), canaries):
                    control.offender(one, why)
    control.note("read whole", f"{whole} of {control.looked_at}, the newest {budget:g} bytes of each bucket")
    keys = stack.restore_keys
    for service, bucket in s3.buckets.items():
        found = [one for one in listed[bucket] if one.shown]
        ref = [one for one in found if one.key.endswith(INFO)] or found
        newest = max(control.population(ref), key=lambda one: one.modified)
        control.assume(keys.opens(service, newest), f"{newest.ref}: its escrowed key does not open it")
    assert not control.found
