"""One restore of one service: its time from the fault to verified data, and what was lost. Pure judgement.

Every second between the fault and the verified data belongs to exactly one part: a part ends where the next
one begins. What cannot be measured (until a person notices, until a person decides) is a declared budget on
top, never 0. See `capacity` for larger sizes, `sandbox` for what a restore may use, `records` for where it
is kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assay.config.profile import Profile
from assay.drills.engine.clock import now
from assay.errors import AssumptionError, UndeclaredError
from assay.model import Offender, Record


BUDGETS = ("detect", "decide")
MEASURED = ("fetch", "decrypt", "restore", "replay", "answer", "verify")
PARTS = (*BUDGETS, *MEASURED)
LEVELS = ("L1", "L2", "L3")
CLOCK_SLACK_S = 1.0


@dataclass(frozen=True, slots=True)
class Restore:
    """What one restore came to.

    Attributes:
        service: `etcd`, `vault`, `postgres`: the name under which an objective is declared.
        t0: when the fault was in force, seconds since 1970, by the evidence of the driver that made it.
        parts: seconds by name, in the order of `PARTS`; one that a service does not have is 0.
        data_bytes: size of the data that came back, unpacked.
        rpo_seconds: from the newest write that came back to the fault.
        lost: how many acknowledged writes did not come back; all of them are newer than the restored point,
            else `verified` is False.
        verified: the ledger was read back: every row up to the restored point is there and right.
        level: the kind of loss: `L1` a process died, `L2` power was cut, `L3` the data is gone.
        ended: when the data was verified, seconds since 1970.
        notes: facts worth reading, never a secret.
    """

    service: str
    t0: float
    parts: Mapping[str, float]
    data_bytes: int
    rpo_seconds: float
    lost: int
    verified: bool
    level: str
    ended: float = 0.0
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """Return `Restore service`."""
        return f"Restore {self.service}"

    @property
    def seconds(self) -> float:
        """Return the recovery time: from the fault to verified data, budgets included."""
        return sum(self.parts.values())

    @property
    def measured(self) -> float:
        """Return the measured seconds alone, without the budgets."""
        return sum(self.parts.get(name, 0.0) for name in MEASURED)

    @property
    def facts(self) -> dict[str, str]:
        """Return what is worth reading beside the total: its parts, its point, the level of the loss."""
        return {
            "parts": ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.parts.items()),
            "point": f"{self.rpo_seconds:.0f} s before the fault",
            "level": self.level,
            "data": f"{self.data_bytes} bytes",
        }

    @property
    def point(self) -> float:
        """Return the time of the newest write that came back, seconds since 1970."""
        return self.t0 - self.rpo_seconds

    def report(self, control: Record, rpo_s: float | None) -> None:
        """Note the restore in the record of `control`: its facts, its time, why it does not prove enough."""
        for key, fact in self.facts.items():
            control.note(f"{self.service}: {key}", fact)
        control.measured(self.seconds, "s", "restore")
        faults = restore_faults(self, control.limit("restore"), rpo_s)
        control.offenders(Offender(self.ref, why) for why in faults)


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What a restore drill found.

    Attributes:
        restore: the measured restore; None where the runbook did not get that far.
        offenders: what broke: lines of the runbook, the restore, rows, other parts of the service.
        acked: acknowledged writes of the ledger; those before the restored point must be back.
        notes: facts worth reading.
        full: seconds from the fault until nothing is missing any more (etcd: three voters); None if never.
        compared: names of what else came back and was compared.
    """

    restore: Restore | None
    offenders: tuple[Offender, ...]
    acked: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)
    full: float | None = None
    compared: tuple[str, ...] = ()

    def report(self, control: Record, rpo_s: float | None) -> None:
        """Note what the drill found in the record of `control`: facts, offenders, populations, the time.

        Args:
            control: the record; its limit `restore` is the recovery time objective, in seconds.
            rpo_s: the recovery point objective of the service, seconds; None: none is declared.

        Raises:
            AssumptionError: nothing was restored, and nothing says why.
        """
        for key, fact in self.notes.items():
            control.note(key, fact)
        control.offenders(self.offenders)
        if self.offenders and self.restore is None:
            return
        control.assume(self.restore is not None, "nothing was restored")
        for restore in control.population([self.restore] if self.restore is not None else []):
            restore.report(control, rpo_s)
            control.note("lost", f"{restore.lost} of {self.acked} acknowledged rows")
        control.population(range(self.acked))

    def compare(self, control: Record) -> None:
        """Note what the drill compared in the record of `control`, where its time is not judged."""
        for key, fact in self.notes.items():
            control.note(key, fact)
        control.offenders(self.offenders)
        if not (self.offenders and not self.compared):
            control.population(self.compared)
            control.population(range(self.acked))


@dataclass(frozen=True, slots=True)
class Budgets:
    """Declared seconds for what a drill cannot measure: until a loss is detected, until it is decided on."""

    detect: float
    decide: float

    def __post_init__(self) -> None:
        """Refuse a budget of nothing."""
        for name in BUDGETS:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise AssumptionError(
                    f"the budget to {name} is {value} s, and nobody reacts in no time",
                    f'set {name} under [controls."ACC-07"] in the profile',
                )

    @classmethod
    def from_profile(cls, profile: Profile) -> Budgets:
        """Return the budgets that `profile` declares for ACC-07 as `detect` and `decide`.

        Raises:
            UndeclaredError: one is missing.
            AssumptionError: one is not above 0.
        """
        declared = profile.override("ACC-07").numbers
        missing = [name for name in BUDGETS if name not in declared]
        if missing:
            raise UndeclaredError(
                f"no time is declared to {' and to '.join(missing)}",
                f'set {missing[0]} under [controls."ACC-07"] in the profile',
            )
        return cls(*(declared[name] for name in BUDGETS))


class Stopwatch:
    """The clock of a restore. It runs from the fault; `lap(part)` ends a part where the next one begins."""

    def __init__(self, budgets: Budgets, fault: float, clock: Callable[[], float] = now) -> None:
        """Run since `fault`, a time of `clock` at which the fault was in force.

        Raises:
            AssumptionError: the fault lies in the future.
        """
        self._budgets, self._clock, self._last = budgets, clock, fault
        if fault > clock():
            raise AssumptionError("the fault lies in the future", "give the time of the driver's evidence")
        self.t0 = time.time() - (clock() - fault)
        self._laps: dict[str, float] = {}

    def lap(self, part: str) -> float:
        """Add the time since the last lap (at first: since the fault) to `part` and return its seconds.

        Raises:
            AssumptionError: no measured part has that name.
        """
        if part not in MEASURED:
            raise AssumptionError(
                f"{part} is not a measured part of a restore", f"one of {', '.join(MEASURED)}"
            )
        moment = self._clock()
        self._laps[part] = self._laps.get(part, 0.0) + moment - self._last
        self._last = moment
        return self._laps[part]

    @property
    def parts(self) -> dict[str, float]:
        """Return all parts so far in the order of `PARTS`, budgets first, unmeasured ones 0."""
        budgets = {name: float(getattr(self._budgets, name)) for name in BUDGETS}
        return budgets | {name: self._laps.get(name, 0.0) for name in MEASURED}

    def finish(
        self,
        service: str,
        data_bytes: int,
        rpo_seconds: float,
        lost: int,
        verified: bool,
        level: str,
        notes: Mapping[str, str] | None = None,
    ) -> Restore:
        """Return the restore as measured; the last lap must have been `verify`."""
        return Restore(
            service, self.t0, self.parts, data_bytes, rpo_seconds, lost, verified, level,
            self.t0 + sum(self._laps.values()), dict(notes or {}),
        )  # fmt: skip


def restore_faults(
    restore: Restore, limit: float, rpo: float | None, fault: float | None = None
) -> list[str]:
    """Return why a restore does not prove what it must, nothing where it does.

    Args:
        restore: what was measured.
        limit: the recovery time objective, seconds, budgets included.
        rpo: the declared recovery point objective of the service, seconds; None: none is declared.
        fault: when the fault was in force by independent evidence, seconds since 1970; None: there is none.
    """
    return [
        *_clock(restore, fault),
        *_parts(restore),
        *_data(restore, rpo),
        *([f"took {restore.seconds:.0f} s, not {limit:.0f} s"] if not restore.seconds < limit else []),
    ]


def _clock(restore: Restore, fault: float | None) -> list[str]:
    wrong = []
    if fault is not None and restore.t0 > fault + CLOCK_SLACK_S:
        wrong.append(f"its clock started {restore.t0 - fault:.0f} s after the fault")
    if not abs(restore.ended - restore.t0 - restore.measured) <= CLOCK_SLACK_S:
        wrong.append(
            f"{restore.ended - restore.t0:.0f} s passed from the fault to verified data, "
            f"its parts account for {restore.measured:.0f} s"
        )
    return wrong


def _parts(restore: Restore) -> list[str]:
    if tuple(restore.parts) != PARTS:
        return [f"its parts are {', '.join(restore.parts) or 'missing'}, not {', '.join(PARTS)}"]
    wrong = [
        f"{name} is counted as {seconds:g} s"
        for name, seconds in restore.parts.items()
        if not (math.isfinite(seconds) and seconds >= 0)
    ]
    needed = (*BUDGETS, "restore", "verify")
    return wrong + [f"{name} is counted as nothing" for name in needed if restore.parts[name] == 0]


def _data(restore: Restore, rpo: float | None) -> list[str]:
    wrong = [] if restore.verified else ["its data was not verified"]
    if restore.level not in LEVELS:
        wrong.append(f"its loss level is {restore.level or 'not said'}")
    if restore.data_bytes <= 0:
        wrong.append("no data came back")
    if rpo is None:
        wrong.append("no recovery point objective is declared")
    elif not restore.rpo_seconds >= 0:
        wrong.append("the newest write that came back is younger than the fault")
    elif not restore.rpo_seconds <= rpo:
        wrong.append(f"the newest write that came back is {restore.rpo_seconds:.0f} s old, not {rpo:.0f} s")
    return wrong
