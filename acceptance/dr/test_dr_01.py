"""DR-01: PostgreSQL comes back from object storage alone, whole, in time, and to a point in time."""

import pytest

from assay.model import Record
from assay.stack import DrillStack, ReadStack


@pytest.mark.control("DR-01")
def test_postgres_comes_back(stack: ReadStack, control: Record) -> None:
    """Carry out the runbook's section word for word, or take a record that is young enough."""
    rpo_s = stack.profile.rpo("postgres")
    if not stack.restores.is_due("postgres", control.limit("age")):
        stack.restores.newest()["postgres"].report(control, rpo_s)
    elif drilled := stack.if_allowed(DrillStack, control, "the restore of postgres"):
        drilled.drills.restore("postgres").report(control, rpo_s)
    control.note("largest size in time", stack.restores.capacity("postgres", control.limit("restore")))
    control.offenders(stack.restores.rejected)
    assert not control.found
