"""What drills may do on a stack, with what, and how long its machines take: the profile's `[drill]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DrillAccess:
    """What drills may do, with what, and how long the machines of the platform take. Times are seconds.

    Attributes:
        launcher: the command that cuts the power of a node and starts it; docs/launcher.md is its contract.
        approval: the approval of drills outside a lab, signed by two people.
        allowed_signers: who may sign approvals and records, in the format of ssh-keygen(1).
        records: the folder of signed records of restores that were done by other means.
        launch_s: one call of the launcher takes no longer.
        gone_s: a node whose power was cut answers no longer than this.
        boot_s: a node that was started answers after this at the latest.
        rejoin_s: etcd has all its voters and each API server is ready this long after a node answers.
        return_s: the longest a drill's rollback is known to take; the journal may know a slower one.
    """

    launcher: str = ""
    approval: Path | None = None
    allowed_signers: Path | None = None
    records: Path | None = None
    launch_s: float = 300.0
    gone_s: float = 120.0
    boot_s: float = 900.0
    rejoin_s: float = 900.0
    return_s: float = 1800.0
