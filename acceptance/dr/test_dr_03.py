"""DR-03: all control planes lose their disks; the runbook as written brings etcd back, whole and in time."""

import pytest

from assay.model import Record
from assay.stack import DrillStack, ReadStack


LOSS = "the loss of all control planes"
ELSEWHERE = (
    "a lab of the same release is drilled, or somebody else's restore is brought in as a signed record"
)


@pytest.mark.control("DR-03")
def test_etcd_comes_back_by_the_runbook(stack: ReadStack, control: Record) -> None:
    """In a lab carry out the runbook's section word for word; elsewhere take a record of a restore."""
    (etcd,) = control.population([stack.platform.etcd])
    control.offenders(stack.restores.rejected)
    if not stack.restores.is_due(etcd, control.limit("age")):
        stack.restores.newest()[etcd.name].report(control, etcd.rpo_s)
    elif not stack.profile.is_lab:
        control.unchecked(
            LOSS, "is drilled in labs only, and no record of a restore is young enough", ELSEWHERE
        )
    elif drilled := stack.if_allowed(DrillStack, control, LOSS):
        result = drilled.drills.restore(etcd)
        result.report(control, etcd.rpo_s)
        if result.restore is not None and result.full is None:
            control.offender(result.restore, "etcd never had three voters again")
        elif result.full is not None:
            control.note("three voters again", f"{result.full:.0f} s after the fault")
    assert not control.found
