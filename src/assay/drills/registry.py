"""The drills and the drivers there are, by name. A new one is a function here and a line in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assay.drills.plan import DrillPlan, Driver
from assay.errors import GuardError


if TYPE_CHECKING:
    from assay.profile import Profile


def _control_plane_loss(profile: Profile, _run: str) -> DrillPlan[Any]:
    from assay.drills.controlplane import ControlPlaneLoss

    return ControlPlaneLoss.from_profile(profile)


def _node(profile: Profile) -> Driver:
    from assay.drills.drivers import Nodes

    return Nodes.from_profile(profile)


def _object(profile: Profile) -> Driver:
    from assay.drills.drivers import Objects

    return Objects(profile)


DRILLS: dict[str, Callable[[Profile, str], DrillPlan[Any]]] = {
    "control-plane-loss": _control_plane_loss,
}
DRIVERS: dict[str, Callable[[Profile], Driver]] = {
    "node": _node,
    "object": _object,
}


def plan_of(name: str, profile: Profile, run: str) -> DrillPlan[Any]:
    """Return the drill called `name`, for the stack of `profile` and the run id `run`.

    Raises:
        GuardError: there is none.
        ProbeError: the profile lacks what it needs.
    """
    if name not in DRILLS:
        raise GuardError(f"there is no drill {name!r}", f"there are: {', '.join(sorted(DRILLS))}")
    return DRILLS[name](profile, run)


def driver_of(name: str, profile: Profile) -> Driver:
    """Return the driver called `name`, for the stack of `profile`.

    Raises:
        GuardError: there is none.
        ProbeError: the profile lacks what it needs.
    """
    if name not in DRIVERS:
        raise GuardError(
            f"there is no driver {name!r}", "use the version of the suite that wrote the journal"
        )
    return DRIVERS[name](profile)
