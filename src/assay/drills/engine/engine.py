"""The one state machine of drills: armed, acting, returning, closed; or manual intervention.

The undo of a change is on disk before the change is made. It is done on every way out: at the end, at an
error, at a signal; by the watchdog where the drill was killed; and before the next drill. After a crash
nothing is changed again, only put back. A target counts as back when it was observed to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from assay.config.profile import Profile
from assay.drills.drivers import Driver, driver_of
from assay.drills.engine.journal import Journal, Stage, Undo, path_of
from assay.drills.engine.signals import interruptible, uninterrupted
from assay.drills.engine.standing import ROLL_BACK
from assay.drills.engine.watchdog import watched
from assay.drills.permission import permit
from assay.drills.specs import DrillSpec
from assay.errors import AssayError, GuardError


UNDO_TRIES = 3


class Engine:
    """A drill that holds its journal."""

    def __init__(
        self,
        journal: Journal,
        drivers: Callable[[str], Driver],
        guard: Callable[[], None] = lambda: None,
        permission: str = "",
    ) -> None:
        """Drive the drill of `journal`.

        Args:
            journal: its journal, held.
            drivers: returns a driver by its name.
            guard: is asked before each change, and raises where it refuses.
            permission: by what the stack may be drilled, in words.
        """
        self._journal, self._drivers, self._guard = journal, drivers, guard
        self.permission = permission
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
def armed(profile: Profile, drill: DrillSpec) -> Iterator[Engine]:
    """Hold the journal of a stack's drills, under a watchdog, with earlier drills put back.

    Args:
        profile: the stack; that it may be drilled is asked now and before each change.
        drill: which drill it is.

    Raises:
        HeldError: a drill is running.
        GuardError: the stack may not be drilled, or something is not put back.
    """
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        permission = permit(profile, drill)
        journal = Journal(path_of(profile))
        stack.callback(journal.close)
        stack.enter_context(watched(profile, permission.limit_s, permission.return_s))
        engine = Engine(journal, partial(driver_of, profile), permission.check, permission.words)
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
