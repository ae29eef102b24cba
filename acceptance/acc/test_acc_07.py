"""ACC-07: each stateful service comes back from object storage alone in less than half an hour."""

import pytest

from assay.drills.records import Records
from assay.drills.restore import faults
from assay.model import Offender, Record
from assay.probes.stateful import inventory
from assay.stack import Stack


@pytest.mark.control("ACC-07")
def test_each_service_comes_back_in_time(stack: Stack, control: Record) -> None:
    """Take the newest record of every service that the live cluster holds state of; budgets are included."""
    items = inventory(stack.kube, control.listed("services"), control.listed("stateless"))
    services = control.population(sorted({item.service for item in items} - {""}))
    newest, limit = Records.from_profile(stack.profile).newest(), control.limit("restore")
    for service in services:
        if service not in newest:
            control.offenders([Offender(f"Restore {service}", "no record of one")])
            continue
        restore, rpo = newest[service].restore, stack.profile.declared.get(f"ACC-10.rpo_{service}")
        parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in restore.parts.items())
        control.note(
            service, f"{restore.seconds:.0f} s ({parts}) for {restore.data_bytes} bytes, {restore.level}"
        )
        control.offenders(Offender(restore.named, why) for why in faults(restore, limit, rpo))
        control.measured(restore.seconds, "s", "restore")
    assert not control.found
