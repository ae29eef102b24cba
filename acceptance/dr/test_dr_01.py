"""DR-01: PostgreSQL comes back from object storage alone, whole, in time, and to a point in time."""

import pytest

from assay.model import Record
from assay.stack import DrillStack


@pytest.mark.control("DR-01")
def test_postgres_comes_back_in_a_scratch_namespace(stack: DrillStack, control: Record) -> None:
    """Carry out the runbook's section word for word, and compare what came back with what was promised."""
    result = stack.drills.restore("postgres")
    result.report(control, stack.profile.rpo("postgres"))
    control.note("largest size in time", stack.drills.capacity("postgres", control.limit("restore")))
    assert not control.found
