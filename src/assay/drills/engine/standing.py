"""How the drills of a stack stand, by their journal."""

from __future__ import annotations

import time
from dataclasses import dataclass

from assay.config.profile import Profile
from assay.drills.engine.journal import HeldError, Journal, Stage, Undo, path_of, read_journal


ROLL_BACK = "assay drill rollback"


@dataclass(frozen=True, slots=True)
class DrillStanding:
    """How the drills of a stack stand: the stage and its age, what is not put back, whether one runs.

    `slowest_return_s` is the longest that putting back a change ever took.
    """

    stage: Stage
    seconds: float
    pending: tuple[Undo, ...]
    running: bool
    slowest_return_s: float = 0.0

    @property
    def next(self) -> str:
        """Return the next command, empty where none is needed."""
        return "" if self.running or self.stage is Stage.CLOSED else ROLL_BACK


def standing(profile: Profile) -> DrillStanding:
    """Return how the drills of a stack stand; `closed` where none ever ran.

    Raises:
        GuardError: the journal is damaged.
    """
    path = path_of(profile)
    state, _ = read_journal(path)
    pending = tuple(undo for _, undo in state.pending)
    running = path.exists() and _held(profile)
    return DrillStanding(state.stage, time.time() - state.since, pending, running, state.slowest_return_s)


def _held(profile: Profile) -> bool:
    try:
        Journal(path_of(profile)).close()
    except HeldError:
        return True
    return False
