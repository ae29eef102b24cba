"""Whether a stack is ready for a drill now: each condition, asked, and why it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from assay.config.profile import Profile
from assay.drills.engine.engine import guard, standing
from assay.errors import AssayError
from assay.writers.lab import require_lab


def conditions(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield (condition, why it does not hold) of every drill, asked of the stack now; empty where it holds.

    Only reads. A condition that cannot be read does not hold.
    """
    checks: dict[str, Callable[[Profile], str]] = {
        "the stack is a lab, and its cluster is named": _lab,
        "the cluster is the one that the profile names": _cluster,
        "etcd has three agreeing voters": _quorum,
        "every API server is ready": _apiservers,
        "nothing is left of an earlier drill": _leftovers,
    }
    for what, check in checks.items():
        try:
            yield what, check(profile)
        except AssayError as why:
            yield what, why.message


# The clients are imported where they are asked: the command line knows the conditions without them.


def _lab(profile: Profile) -> str:
    require_lab(profile)
    return ""


def _cluster(profile: Profile) -> str:
    guard(profile)
    return ""


def _quorum(profile: Profile) -> str:
    from assay.drills.faults.quorum import Quorum

    return "" if Quorum.from_profile(profile).holds() else "it has not"


def _apiservers(profile: Profile) -> str:
    from assay.drills.workload.namespace import DrillNamespace

    return "" if DrillNamespace.from_profile(profile).apiservers_ready() else "one of them is not"


def _leftovers(profile: Profile) -> str:
    found = standing(profile)
    if found.running:
        return "a drill is running"
    return f"{', '.join(undo.ref for undo in found.pending)}: {found.next}" if found.pending else ""
