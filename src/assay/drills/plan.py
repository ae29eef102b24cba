"""What a drill is: the words that the engine, the drivers, the command line and every drill share.

A drill is written as one class that satisfies `DrillPlan` and one line in `assay.drills.registry`:

- `faults`: everything that it may break, each with its `Undo`. The engine makes no fault that is not listed.
- `preflight()`: what must hold before the first act, each a `Margin`; one that does not hold: not run.
- `observe(acts)`: the drill itself. Faults are made by `with acts.lost(fault): ...` (put back at the end of
  the body) or `acts.inject(fault)` (put back by `acts.put_back(fault)`, at the latest when the drill ends).
  Waits use `acts.hold(seconds)`, which an abort ends at once.
- `judge(result)`: what is wrong with the result of `observe`, nothing where the control holds.

What is needed to undo a fault is data, on disk before the fault is made: which driver ensures which state of
which target, with what was there before. An ensure may be repeated at any time and by another process, which
knows nothing but the journal: whatever it needs must be in the undo or in the profile. Never a secret value.

    class Restore:
        name, limit, at_once = "restore-postgres", 1500.0, 1

        def __init__(self, profile: Profile, run: str) -> None:
            scratch = target("v1", "Namespace", "", f"assay-drill-{run}")
            self.faults = (Fault("scratch", "object", "create", scratch,
                                 Undo("object", "absent", scratch), {"manifest": {...}}),)

        def preflight(self) -> Iterator[Margin]: ...
        def observe(self, acts: Acts) -> Restored: ...
        def judge(self, result: Restored) -> list[str]: ...

    result = engine_for(profile).run(Restore(profile, new_run()))

Drivers at hand: `node` (act `lose`; ensure `on`) and `object` (acts `create`, `patch`; ensure `absent`,
`config`); others are added in `assay.drills.registry`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeVar

from assay.errors import GuardError


Data = Mapping[str, Any]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Undo:
    """What puts one fault back: `driver` must bring `target` into the state `ensure`.

    `prior` is what was there before, as far as it is needed: JSON, no secret.
    """

    driver: str
    ensure: str
    target: str
    prior: Data = field(default_factory=dict)

    @property
    def named(self) -> str:
        """Return `target: state`."""
        return f"{self.target}: {self.ensure}"

    def data(self) -> dict[str, Any]:
        """Return the undo as JSON data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Data) -> Undo:
        """Return the undo that `data` describes."""
        return cls(str(data["driver"]), str(data["ensure"]), str(data["target"]), dict(data["prior"]))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing a drill breaks: `driver` does `act` to `target`.

    Args:
        named: what the drill calls it.
        driver: name of the driver in the registry.
        act: one of the driver's acts.
        target: what it is done to, as the driver names it.
        undo: what puts it back.
        args: what the act needs besides; JSON, no secret.
        blind: it may be made while the API does not answer, because an earlier fault of this drill took it.
    """

    named: str
    driver: str
    act: str
    target: str
    undo: Undo
    args: Data = field(default_factory=dict)
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Margin:
    """One condition of the preflight: what was asked, whether it holds, what was seen."""

    what: str
    holds: bool
    seen: str = ""


class Driver(Protocol):
    """What can break a target and put it back.

    Every method may raise GuardError or ProbeError. `ensure` may be repeated; a target that is in the state
    already is left alone.
    """

    def capture(self, fault: Fault) -> Undo:
        """Return the whole undo of `fault`, with what is there now; only reads."""

    def inject(self, fault: Fault) -> Data:
        """Make the fault; return what shows that it was made."""

    def ensure(self, undo: Undo) -> None:
        """Ask for the state that the undo names."""

    def observed(self, undo: Undo) -> bool:
        """Return True if the target is seen in that state, after waiting as long as that may take."""


class Acts(Protocol):
    """What the engine lets the body of a drill do."""

    @property
    def run(self) -> str:
        """Return the id of this run."""

    @property
    def resumed(self) -> tuple[str, ...]:
        """Return what was put back of an earlier, killed drill before this one began."""

    def inject(self, fault: Fault) -> Data:
        """Make a fault of the plan; its undo is on disk before. Return the driver's evidence.

        Raises:
            GuardError: a guard refused, the journal could not be written, or the driver failed.
        """

    def put_back(self, fault: Fault) -> None:
        """Put a fault back now and return when that is observed.

        Raises:
            GuardError: it did not come back; the engine will try again at the end.
        """

    def lost(self, fault: Fault) -> AbstractContextManager[Data]:
        """Make a fault for the time of the body, and put it back on every way out."""

    def check(self) -> None:
        """Return if the drill may go on.

        Raises:
            GuardError: another cluster, a lost watchdog, an abort file, or the time limit.
        """

    def hold(self, seconds: float) -> None:
        """Wait; ends at once, by an exception, if the drill is aborted."""


class DrillPlan(Protocol[R]):
    """One drill. `limit`: seconds for all of it; `at_once`: how many faults may stand at one time."""

    @property
    def name(self) -> str:
        """Return the name in the registry."""

    @property
    def limit(self) -> float:
        """Return the time limit of the whole drill, in seconds."""

    @property
    def at_once(self) -> int:
        """Return how many faults may stand at the same time."""

    @property
    def expected(self) -> str:
        """Return in one sentence what must hold while the faults stand and after."""

    @property
    def faults(self) -> Sequence[Fault]:
        """Return everything that the drill may break."""

    def preflight(self) -> Iterable[Margin]:
        """Return the conditions of the drill, as they are now; only reads.

        Raises:
            ProbeError: one could not be read; the drill is then not run.
        """

    def observe(self, acts: Acts) -> R:
        """Break and watch; return what was seen."""

    def judge(self, result: R) -> list[str]:
        """Return what is wrong with the result; an empty list where the control holds."""


class RefusedError(GuardError):
    """The drill was not run: nothing was broken."""


class NeedsHumanError(GuardError):
    """Something could not be put back or not be known; the remedy is the next command."""


def target(api_version: str, kind: str, namespace: str, name: str) -> str:
    """Return how the driver `object` names an object; `namespace` is empty where it has none."""
    return "|".join((api_version, kind, namespace, name))


def new_run() -> str:
    """Return an id for one run of a drill: eight hexadecimal digits."""
    return secrets.token_hex(4)
