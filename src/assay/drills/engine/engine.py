"""The one state machine of drills: armed, acting, returning, closed; or manual intervention.

The undo of a change is on disk before the change is made. It is done on every way out: at the end, at an
error, at a signal; by the watchdog where the drill was killed; and before the next drill. After a crash
nothing is changed again, only put back. A target counts as back when it was observed to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from assay.config.profile import Profile
from assay.drills.drivers import Driver, driver_of
from assay.drills.engine.journal import HeldError, Journal, Stage, Undo, path_of, read_journal
from assay.drills.engine.signals import interruptible, uninterrupted
from assay.drills.engine.watchdog import DRILL_MAX_S, watched
from assay.errors import AssayError, GuardError
from assay.writers.lab import require_lab


UNDO_TRIES = 3
ROLL_BACK = "assay drill rollback"


class Engine:
    """A drill that holds its journal."""

    def __init__(
        self, journal: Journal, drivers: Callable[[str], Driver], guard: Callable[[], None] = lambda: None
    ) -> None:
        """Drive the drill of `journal`; `guard` is asked before each change and raises where it refuses."""
        self._journal, self._drivers, self._guard = journal, drivers, guard
        self.resumed: tuple[str, ...] = ()

    def begin(self) -> None:
        """Put back what an earlier drill left, and arm.

        Raises:
            GuardError: the guard refuses, something does not come back, or the journal cannot be written.
        """
        self._guard()
        self.resumed = tuple(self.resume())
        self._journal.enter(Stage.ARMED)

    def end(self) -> None:
        """Close the drill, if all of it is back.

        Raises:
            GuardError: the journal cannot be written.
        """
        if self._journal.state.stage is Stage.ARMED:
            self._journal.enter(Stage.CLOSED)

    @contextmanager
    def acting(self, driver: str, target: str) -> Iterator[float]:
        """Change `target` for the time of the body and put it back on every way out, an interrupt included.

        Yields the time (of the drill's clock) at which the change was in force.

        Raises:
            GuardError: the guard refuses or the journal cannot be written (then nothing was changed); or the
                target did not come back: then a person must intervene.
        """
        undo, does = Undo(driver, target), self._drivers(driver)
        self._guard()
        number = self._journal.intend(undo)
        try:
            yield does.inject(target)
        finally:
            with uninterrupted():
                self._put_back([(number, undo)])

    def resume(self) -> list[str]:
        """Put back whatever an earlier, killed drill left, newest first, close it, and return the targets.

        Raises:
            GuardError: one of them did not come back; all were tried.
        """
        pending = self._journal.state.pending
        if self._journal.state.stage not in (Stage.CLOSED, Stage.ARMED):
            self._put_back(pending)
        self.end()
        return [undo.target for _, undo in pending]

    def _put_back(self, wanted: list[tuple[int, Undo]]) -> None:
        """Put all of `wanted` back, a journal that cannot be written notwithstanding."""
        wrong = self._entered(Stage.RETURNING)
        wrong += [why for number, undo in wanted for why in self._undone(number, undo)]
        back = Stage.ACTING if self._journal.state.open else Stage.ARMED
        if self._journal.state.stage is Stage.RETURNING:
            wrong += self._entered(Stage.MANUAL_INTERVENTION if wrong else back)
        if wrong:
            raise GuardError(f"a drill needs manual intervention: {'; '.join(wrong)}", f"then {ROLL_BACK}")

    def _entered(self, stage: Stage) -> list[str]:
        try:
            self._journal.enter(stage)
        except GuardError as why:
            return [why.message]
        return []

    def _undone(self, number: int, undo: Undo) -> list[str]:
        """Do one undo, see that it worked, and only then strike it off; return why that failed."""
        try:
            driver = self._drivers(undo.driver)
            _tried(partial(driver.ensure_undone, undo.target))
            if not driver.is_undone(undo.target):
                return [f"{undo.ref} did not come back: {driver.by_hand(undo.target)}"]
            self._journal.undone(number)
        except AssayError as why:
            return [f"{undo.ref}: {why}"]
        return []


def _tried(act: Callable[[], None]) -> None:
    for left in range(UNDO_TRIES - 1, -1, -1):
        try:
            return act()
        except GuardError:
            if not left:
                raise
    return None


@contextmanager
def armed(profile: Profile, limit: float = DRILL_MAX_S) -> Iterator[Engine]:
    """Hold the journal of a stack's drills, under a watchdog, with earlier drills put back.

    Args:
        profile: the stack, which must be a lab, and the cluster that is meant, now and before each change.
        limit: seconds after which the watchdog ends the drill.

    Raises:
        HeldError: a drill is running.
        GuardError: a guard refused, or something is not put back.
    """
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        require_lab(profile)
        journal = Journal(path_of(profile))
        stack.callback(journal.close)
        stack.enter_context(watched(profile, limit))
        engine = Engine(journal, partial(driver_of, profile), partial(guard, profile))
        engine.begin()
        stack.callback(engine.end)
        yield engine


def roll_back(profile: Profile) -> list[str]:
    """Put back what the journal says is not, close it, and return the targets; none where no drill ran.

    Raises:
        HeldError: a drill is running.
        GuardError: something did not come back, or the journal is damaged.
    """
    if not path_of(profile).exists():
        return []
    journal = Journal(path_of(profile))
    try:
        return Engine(journal, partial(driver_of, profile)).resume()
    finally:
        journal.close()


@dataclass(frozen=True, slots=True)
class Standing:
    """How the drills of a stack stand: the stage and its age, what is not put back, whether one runs."""

    stage: Stage
    seconds: float
    pending: tuple[Undo, ...]
    running: bool

    @property
    def next(self) -> str:
        """Return the next command, empty where none is needed."""
        return "" if self.running or self.stage is Stage.CLOSED else ROLL_BACK


def standing(profile: Profile) -> Standing:
    """Return how the drills of a stack stand; `closed` where none ever ran.

    Raises:
        GuardError: the journal is damaged.
    """
    path = path_of(profile)
    state, _ = read_journal(path)
    pending = tuple(undo for _, undo in state.pending)
    return Standing(state.stage, time.time() - state.since, pending, path.exists() and _held(profile))


def _held(profile: Profile) -> bool:
    try:
        Journal(path_of(profile)).close()
    except HeldError:
        return True
    return False


def guard(profile: Profile) -> None:
    """Refuse every stack but a lab, and every cluster but the one that the profile names, asked now.

    Raises:
        GuardError: it is another one.
        ProbeError: it does not answer.
    """
    from assay.probes.kube.client import Kube  # the watchdog starts without it

    require_lab(profile)
    Kube.from_profile(profile).check_cluster()
