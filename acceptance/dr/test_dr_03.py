"""DR-03: all control planes lose their disks; the runbook as written brings etcd back, whole and in time."""

import pytest

from assay.drills.restore.result import restore_faults
from assay.model import Offender, Record
from assay.stack import Stack


@pytest.mark.control("DR-03")
def test_etcd_comes_back_by_the_runbook(stack: Stack, control: Record) -> None:
    """Carry out the runbook's section word for word, and compare what came back with what was promised."""
    result = stack.etcd_restore.result()
    for key, fact in result.notes.items():
        control.note(key, fact)
    control.offenders(result.offenders)
    assert not control.found, "the runbook does not bring everything back"
    control.assume(result.restore is not None, "nothing was restored")
    (restore,) = control.population([one for one in [result.restore] if one is not None])
    control.population(range(result.acked))
    for key, fact in restore.facts.items():
        control.note(key, fact)
    control.note("lost after the backup", f"{restore.lost} of {result.acked} acknowledged rows")
    control.note(
        "three voters again", "never" if result.full is None else f"{result.full:.0f} s after the fault"
    )
    seconds = control.measured(restore.seconds, "s", "restore")
    rpo = stack.profile.rpo("etcd")
    limit = control.limit("restore")
    control.offenders(Offender(restore.ref, why) for why in restore_faults(restore, limit, rpo))
    assert result.full is not None, "etcd never had three voters again"
    assert seconds < limit
    assert not control.found
