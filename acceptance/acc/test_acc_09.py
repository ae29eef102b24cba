"""ACC-09: losing any one control plane loses no acknowledged write, and writing goes on."""

import pytest

from assay.model import Record
from assay.stack import DrillStack


@pytest.mark.control("ACC-09")
def test_any_control_plane_may_be_lost(stack: DrillStack, control: Record) -> None:
    """Lose each of them once and ask what a client outside was promised."""
    report = stack.drills.control_planes()
    finding = report.finding
    control.population(finding.losses, of=len(stack.talos.controlplanes))
    control.note("permission", report.permission)
    control.note("order of losses", ", ".join(report.order))
    control.note("acknowledged writes", finding.acked)
    lost = control.measured(len(finding.lost), "count", "lost_writes")
    control.measured(finding.write_gap, "s", "write_gap")
    if lost > control.limit("lost_writes"):
        control.offenders((f"ConfigMap {key}" for key in finding.lost), "acknowledged, then gone")
    control.offenders(
        (one for one in finding.losses if one.write_gap > control.limit("write_gap")),
        "writes stopped for longer than declared",
    )
    assert not control.found
