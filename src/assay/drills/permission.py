"""Whether a stack may be drilled, and is ready for it: each condition, asked now, and why it does not hold.

A lab may be drilled because its cluster says that it is one. Any other stack may be drilled if two people
approved it, nothing is degraded, each backup is within its objective, nothing is left of an earlier drill,
and the window leaves time to put back what is taken away.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from assay.config.profile import Profile
from assay.drills.approval import Approval, check_signatures, read_approval
from assay.drills.engine.standing import ROLL_BACK, standing
from assay.drills.engine.watchdog import DRILL_MAX_S, TERM_GRACE_S
from assay.drills.specs import DRILLS, DrillSpec
from assay.errors import AssayError, GuardError
from assay.writers.lab import require_lab


SHOWN_MAX = 3
Check = Callable[[Profile], object]


def current_time() -> dt.datetime:
    """Return the time of the calendar, which windows are compared with."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Permission:
    """What lets a drill change a stack.

    Attributes:
        profile: the stack.
        drill: the drill.
        approval: who approved it; None in a lab.
        return_s: seconds that a change takes to be put back, at the most that is known.
    """

    profile: Profile
    drill: DrillSpec
    approval: Approval | None
    return_s: float

    @property
    def words(self) -> str:
        """Return by what the stack may be drilled, for the evidence."""
        return self.approval.summary if self.approval else "a lab, by the mark in its cluster"

    @property
    def limit_s(self) -> float:
        """Return the seconds after which the drill is ended, so that there is time to put things back."""
        return self.approval.remaining_s(current_time()) - self.return_s if self.approval else DRILL_MAX_S

    def check(self) -> None:
        """Check before each change that the stack may still be drilled.

        Raises:
            GuardError: it may not: another cluster answers, or the window closes too soon.
            ProbeError: the cluster cannot be asked.
        """
        _cluster(self.profile)
        if self.approval is None:
            require_lab(self.profile)
        else:
            _window(self.approval, self.return_s)


def permit(profile: Profile, drill: DrillSpec) -> Permission:
    """Return the permission for a drill, after asking every condition that the stack must meet for it.

    In a lab a drill asks for itself whether the platform is well: only there it may do so with leftovers.

    Raises:
        GuardError: the stack may not be drilled; one line, with what to do about it.
        ProbeError: a condition cannot be asked.
    """
    if profile.is_lab:
        require_lab(profile)
        _cluster(profile)
        return Permission(profile, drill, None, TERM_GRACE_S)
    for _, check in _approved(profile, drill):
        check(profile)
    return Permission(profile, drill, _approval(profile), slowest_return_s(profile))


def conditions(profile: Profile, drill: DrillSpec | None = None) -> Iterator[tuple[str, str]]:
    """Yield (condition, why it does not hold and what to do) of a drill, asked now; empty where it holds.

    Only reads. A condition that cannot be asked does not hold.

    Args:
        profile: the stack.
        drill: the drill; None: all that the approval names.
    """
    checks = _lab(profile) if profile.is_lab else _approved(profile, drill)
    for what, check in checks:
        try:
            check(profile)
        except AssayError as why:
            yield what, str(why)
        else:
            yield what, ""


def slowest_return_s(profile: Profile) -> float:
    """Return the longest that a change is known to take to be put back: declared, or seen in the journal."""
    return max(profile.drill.return_s, standing(profile).slowest_return_s)


def _lab(_: Profile) -> list[tuple[str, Check]]:
    return [
        ("the stack is a lab, by the mark in its cluster", require_lab),
        ("the cluster is the one that the profile names", _cluster),
        ("etcd has all its voters, and they agree", _quorum),
        ("every API server is ready", _apiservers),
        ("nothing is left of an earlier drill", _leftovers),
    ]


def _approved(profile: Profile, drill: DrillSpec | None) -> Iterator[tuple[str, Check]]:
    """Yield the conditions of a stack that is not a lab; the approval's own only where it can be read."""
    yield "drills are approved", _approval
    try:
        approval = _approval(profile)
    except AssayError:
        return
    yield "the approval is for this stack and cluster", partial(_meant, approval)
    yield "the approval names the drill", partial(_named, approval, drill)
    yield "two people signed the approval", partial(_signed, approval)
    yield "its window is open and leaves time for the slowest return", partial(_in_window, approval)
    yield "the cluster is the one that the profile names", _cluster
    yield "nothing is left of an earlier drill", _leftovers
    yield "nothing is degraded", _nothing_degraded
    yield "every backup is within its objective", _backups_fresh


def _approval(profile: Profile) -> Approval:
    if profile.drill.approval is None:
        raise GuardError(
            f"{profile.name} is a {profile.kind} stack, and no approval of a drill is named",
            "write one with assay drill approve, let two people sign it, name it under [drill]",
        )
    return read_approval(profile.drill.approval)


def _meant(approval: Approval, profile: Profile) -> None:
    name = approval.file.name
    if approval.stack != profile.name:
        raise GuardError(
            f"{name} approves drills of stack {approval.stack}", f"approve them of {profile.name}"
        )
    if not profile.cluster_uid:
        raise GuardError("the profile does not say which cluster it is", "set cluster_uid under [stack]")
    if approval.cluster_uid != profile.cluster_uid:
        raise GuardError(f"{name} approves drills of another cluster", "approve them with this cluster's UID")


def _named(approval: Approval, drill: DrillSpec | None, _: Profile) -> None:
    if unknown := sorted(set(approval.drills) - set(DRILLS)):
        raise GuardError(f"{approval.file.name}: {unknown[0]} is not a drill", f"known: {', '.join(DRILLS)}")
    wanted = {drill.name} if drill else set(approval.drills)
    if forbidden := sorted(name for name in wanted if DRILLS[name].lab_only):
        raise GuardError(
            f"the drill {forbidden[0]} takes every control plane: it is for labs only",
            "drill a lab with the same release, and bring its record in signed",
        )
    if not approval.drills or not wanted <= set(approval.drills):
        raise GuardError(
            f"{approval.file.name} does not approve {drill.name if drill else 'a drill'}",
            "approve it by its name",
        )


def _signed(approval: Approval, profile: Profile) -> None:
    signers = profile.drill.allowed_signers
    if signers is None:
        raise GuardError("the profile does not say who may sign", "set allowed_signers under [drill]")
    check_signatures(approval, signers)


def _in_window(approval: Approval, profile: Profile) -> None:
    _window(approval, slowest_return_s(profile))


def _window(approval: Approval, return_s: float) -> None:
    moment = current_time()
    if not approval.begins <= moment < approval.ends:
        window = f"{approval.begins.isoformat()} to {approval.ends.isoformat()}"
        raise GuardError(
            f"now is outside of the approved window, {window}", "wait for it, or approve another"
        )
    if (left := approval.remaining_s(moment)) < return_s:
        raise GuardError(
            f"the window ends in {left:.0f} s, and a return may take {return_s:.0f} s",
            "approve a longer window",
        )


# The clients are imported where they are asked: the command line and the watchdog start without them.


def _cluster(profile: Profile) -> None:
    from assay.probes.kube.client import Kube

    Kube.from_profile(profile).check_cluster()


def _quorum(profile: Profile) -> None:
    from assay.drills.faults.quorum import Quorum

    _nothing(Quorum.from_profile(profile).wrong(), "look at etcd")


def _apiservers(profile: Profile) -> None:
    from assay.drills.workload.namespace import DrillNamespace

    if not DrillNamespace.from_profile(profile).apiservers_ready():
        raise GuardError("one of them is not", "look at the API servers")


def _leftovers(profile: Profile) -> None:
    found = standing(profile)
    if found.running:
        raise GuardError("a drill is running", "wait for it to end")
    if found.next:
        left = ", ".join(undo.ref for undo in found.pending) or "nothing"
        raise GuardError(f"the journal is open, not put back: {left}", ROLL_BACK)


def _nothing_degraded(profile: Profile) -> None:
    from assay.drills.degraded import degraded

    _nothing(degraded(profile), "repair it first")


def _backups_fresh(profile: Profile) -> None:
    from assay.drills.degraded import late_backups

    _nothing(late_backups(profile, current_time()), "take a backup first")


def _nothing(found: list[str], remedy: str) -> None:
    if found:
        more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
        raise GuardError(f"{'; '.join(found[:SHOWN_MAX])}{more}", remedy)
