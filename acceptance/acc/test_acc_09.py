"""ACC-09: losing any one control plane loses no acknowledged write, and writing goes on."""

import pytest

from assay.model import Offender, Record
from assay.stack import Stack


@pytest.mark.control("ACC-09")
def test_any_control_plane_may_be_lost(stack: Stack, control: Record) -> None:
    """Lose each of them once and ask what a client outside was promised."""
    report = stack.drill.control_planes_lost()
    finding = report.finding
    control.note("order of losses", ", ".join(report.order))
    control.note("acknowledged writes", finding.acked)
    lost = control.measured(len(finding.lost), "count", "lost_writes")
    gap = control.measured(finding.write_gap, "s", "write_gap")
    control.offenders(Offender(f"ConfigMap {key}", "acknowledged, then gone") for key in finding.lost)
    control.offenders(
        (one for one in finding.losses if one.write_gap > control.limit("write_gap")),
        "writes stopped for longer than declared",
    )
    assert lost <= control.limit("lost_writes")
    assert gap <= control.limit("write_gap")
    control.population(finding.losses, of=len(stack.talos.controlplanes))
