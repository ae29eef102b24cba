"""DR-04: whatever holds state in the live cluster has come back from object storage, and not long ago."""

import time

import pytest

from assay.backups.stateful import inventory
from assay.drills.restore.result import restore_faults
from assay.model import Offender, Record
from assay.stack import ReadStack


HOUR = 3600.0


@pytest.mark.control("DR-04")
def test_everything_stateful_was_restored(stack: ReadStack, control: Record) -> None:
    """What is stateful, less what has a passing record that is young enough, must be nothing."""
    items = control.population(inventory(stack.kube, stack.platform))
    newest, limit = stack.records.newest(), control.limit("restore")
    for item in items:
        if not item.service:
            control.offender(item, "belongs to no service that is restored")
        elif item.service not in newest:
            control.offender(item, f"{item.service} has no record of a restore")
    for service, kept in newest.items():
        rpo, hours = stack.profile.rpo(service), kept.age(time.time()) / HOUR
        control.note(service, f"restored {hours:.1f} h ago in {kept.restore.seconds:.0f} s")
        if hours > control.limit("age"):
            control.offender(kept.restore, f"restored {hours:.0f} h ago")
        control.offenders(Offender(kept.restore.ref, why) for why in restore_faults(kept.restore, limit, rpo))
    assert not control.found
