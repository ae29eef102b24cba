"""SEC-31: what lies in the object storage is ciphertext, and its key lies elsewhere."""

import pytest

from assay.backups.ciphertext import kept_secrets, plain_objects, readable_inside
from assay.backups.listing import judged_versions
from assay.backups.repositories import BucketContent
from assay.config.platform import Service
from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("SEC-31", tier="live")
def test_backups_are_ciphertext(stack: ReadStack, control: Record) -> None:
    """Judge how versions begin, the newest ones whole; each service's escrowed key must open its newest."""
    s3, budget = stack.s3, control.limit("read_whole")
    words = (*control.listed("canaries"), stack.profile.need_cluster())
    forbidden = [word.encode() for word in words]
    forbidden += kept_secrets(stack.profile.need_path("escrow.folder"))
    contents, whole = {bucket: BucketContent() for bucket in s3.judged_buckets()}, 0
    for bucket, content in contents.items():
        versions = judged_versions(
            s3, bucket, control, lambda one: not one.marker and not one.canary, content.watch
        )
        inside = content.repositories(s3)
        control.offenders(plain_objects(s3, versions, inside))
        for one, why in readable_inside(s3, versions, forbidden, budget, inside):
            whole += 1
            control.offenders([one] if why else [], why)
    control.note("read whole", f"{whole} of {control.looked_at}, the newest {budget:g} bytes of each bucket")
    for service in stack.platform.services:
        if (where := service.bucket or s3.buckets.get(service.name)) is not None:
            judge_key(stack, control, service, contents[where])
    assert not control.found


def judge_key(stack: ReadStack, control: Record, service: Service, content: BucketContent) -> None:
    """Judge that the escrowed key of a service opens the newest of its backups."""
    newest, inside = content.to_open(), content.repositories(stack.s3)
    if newest is None:
        control.offender(f"Service {service.name}", "holds no backup that an escrowed key could open")
    elif tools := [known.layout.tool for known in inside if known.holds(newest.key)]:
        control.note(
            f"{service.name}: not opened", f"{tools[0]} alone opens it, with the repository's password"
        )
    elif not stack.restore_keys.opens(service, newest):
        control.offender(newest, "its escrowed key does not open it")
