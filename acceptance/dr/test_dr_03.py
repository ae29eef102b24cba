"""DR-03: all control planes lose their disks; the runbook as written brings etcd back, whole and in time."""

import pytest

from assay.model import Record
from assay.stack import DrillStack


@pytest.mark.control("DR-03")
def test_etcd_comes_back_by_the_runbook(stack: DrillStack, control: Record) -> None:
    """Carry out the runbook's section word for word, and compare what came back with what was promised."""
    result = stack.drills.restore("etcd")
    result.report(control, stack.profile.rpo("etcd"))
    if result.restore is not None and result.full is None:
        control.offender(result.restore, "etcd never had three voters again")
    elif result.full is not None:
        control.note("three voters again", f"{result.full:.0f} s after the fault")
    assert not control.found
