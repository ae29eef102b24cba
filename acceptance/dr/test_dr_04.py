"""DR-04: whatever holds state in the live cluster has come back from object storage, and not long ago."""

import time

import pytest

from assay.backups.stateful import inventory
from assay.model import Record
from assay.stack import ReadStack


HOUR_S = 3600.0


@pytest.mark.control("DR-04")
def test_everything_stateful_was_restored(stack: ReadStack, control: Record) -> None:
    """What is stateful, less what has a passing record that is young enough, must be nothing."""
    newest, services = stack.restores.newest(), set[str]()
    for item in control.population(inventory(stack.kube, stack.platform)):
        if not item.service:
            control.offender(item, "belongs to no service that is restored")
        elif item.service not in newest:
            control.offender(item, f"there is no record of a restore of {item.service}")
        services |= {item.service} & newest.keys()
    for service in sorted(services):
        known = newest[service]
        hours = known.age(time.time()) / HOUR_S
        known.report(control, stack.platform.holder(service).rpo_s)
        if hours > control.limit("age"):
            control.offender(known, f"restored {hours:.0f} h ago")
    control.offenders(stack.restores.rejected)
    assert not control.found
