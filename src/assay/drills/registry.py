"""The drills there are: what each breaks, how that is put back, which control judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assay.config.profile import Profile
from assay.drills.engine.engine import guard, guard_kind, standing
from assay.errors import AssayError


# The environment variable with the name of the drill that somebody asked for.
ASKED = "ASSAY_DRILL"


@dataclass(frozen=True, slots=True)
class DrillSpec:
    """One drill.

    Attributes:
        control: the control whose test carries it out and judges it.
        breaks: what is broken.
        back: how that is put back.
        minutes: how long it takes on the lab.
    """

    control: str
    breaks: str
    back: str
    minutes: int


DRILLS = {
    "control-planes": DrillSpec(
        "ACC-09", "every control plane once, at once as by a power cut, the etcd leader's first",
        "each is started again on its disks before the next one is lost", 5,
    ),
    "etcd": DrillSpec(
        "DR-03", "the disks of all control planes, together",
        "the runbook restores etcd; where it fails, the old disks come back", 4,
    ),
    "postgres": DrillSpec(
        "DR-01", "nothing: a database is restored beside the old one, twice",
        "the namespace postgres-restored is deleted", 2,
    ),
    "postgres-oldest": DrillSpec(
        "DR-08", "nothing: a database is restored from the oldest base backup, beside the old one",
        "the namespace postgres-restored is deleted", 3,
    ),
    "vault": DrillSpec(
        "ACC-07", "nothing: a Vault is restored beside the old one",
        "the namespace vault-restored is deleted", 1,
    ),
    "rotation": DrillSpec(
        "SEC-26", "nothing: a login that may do nothing gets another password, at the source alone",
        "nothing is: the new password stays", 2,
    ),
}  # fmt: skip


def conditions(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield (condition, why it does not hold) of every drill, asked of the stack now; empty where it holds.

    Only reads. A condition that cannot be read does not hold.
    """
    checks: dict[str, Callable[[Profile], str]] = {
        "the stack is a lab, and it is known which": _lab,
        "the cluster is the one that is meant": _meant,
        "etcd has three agreeing voters": _quorum,
        "every API server is ready": _ready,
        "nothing is left of an earlier drill": _left,
    }
    for what, check in checks.items():
        try:
            yield what, check(profile)
        except AssayError as why:
            yield what, why.message


# The clients are imported where they are asked: the command line knows the drills' names without them.


def _lab(profile: Profile) -> str:
    guard_kind(profile)
    return ""


def _meant(profile: Profile) -> str:
    guard(profile)
    return ""


def _quorum(profile: Profile) -> str:
    from assay.drills.faults.quorum import Quorum

    return "" if Quorum.from_profile(profile).holds() else "it has not"


def _ready(profile: Profile) -> str:
    from assay.drills.workload.namespace import DrillNamespace

    return "" if DrillNamespace.from_profile(profile).apiservers_ready() else "one of them is not"


def _left(profile: Profile) -> str:
    found = standing(profile)
    if found.running:
        return "a drill is running"
    return f"{', '.join(undo.ref for undo in found.pending)}: {found.next}" if found.pending else ""
