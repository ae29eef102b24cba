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
    if result.full is None:
        control.offender(restore, "etcd never had three voters again")
    if seconds >= limit:
        control.offender(restore, f"took {seconds:.0f} s, the limit is {limit:.0f} s")
    assert not control.found
