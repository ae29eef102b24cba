"""DR-01: PostgreSQL comes back from object storage alone, whole, in time, and to a point in time."""

import pytest

from assay.drills.restore.capacity import capacity_statement
from assay.drills.restore.records import Records
from assay.drills.restore.result import restore_faults
from assay.model import Offender, Record
from assay.stack import Stack


@pytest.mark.control("DR-01")
def test_postgres_comes_back_beside_the_old_one(stack: Stack, control: Record) -> None:
    """Carry out the runbook's section word for word, and compare what came back with what was promised."""
    result = stack.postgres_restore.result()
    for key, fact in result.notes.items():
        control.note(key, fact)
    control.offenders(result.offenders)
    (restore,) = control.population([one for one in [result.restore] if one is not None])
    control.population(range(result.acked))
    for key, fact in restore.facts.items():
        control.note(key, fact)
    control.note("lost", f"{restore.lost} of {result.acked} acknowledged rows")
    limit = control.limit("restore")
    kept = Records.from_profile(stack.profile).of(restore.service)
    control.note("largest size in time", capacity_statement(kept, limit))
    seconds = control.measured(restore.seconds, "s", "restore")
    rpo = stack.profile.rpo("postgres")
    control.offenders(Offender(restore.ref, why) for why in restore_faults(restore, limit, rpo))
    if seconds >= limit:
        control.offender(restore, f"took {seconds:.0f} s, the limit is {limit:.0f} s")
    assert not control.found
