"""DR-11: the etcd leader's node is lost and returns: nothing is lost, and it is the same voter again."""

import pytest

from assay.model import Record
from assay.stack import DrillStack


@pytest.mark.control("DR-11")
def test_leader_lost_and_back(stack: DrillStack, control: Record) -> None:
    """Judge the losses in which the node held the etcd leader."""
    finding = stack.drills.control_planes().finding
    led = control.population([one for one in finding.losses if one.leader])
    lost = control.measured(len(finding.lost), "count", "lost_writes")
    control.measured(max(one.write_gap for one in led), "s", "write_gap")
    control.note(
        "seconds to rejoin", ", ".join("never" if one.rejoin is None else f"{one.rejoin:.1f}" for one in led)
    )
    if lost > control.limit("lost_writes"):
        control.offenders((f"ConfigMap {key}" for key in finding.lost), "acknowledged, then gone")
    control.offenders((one for one in led if one.rejoin is None), "it did not rejoin as a voter")
    control.offenders(
        (one for one in led if one.write_gap > control.limit("write_gap")),
        "writes stopped for longer than declared",
    )
    if not finding.same_members:
        control.offender("etcd", "its voters are not the same as before")
    assert not control.found
