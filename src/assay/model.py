"""The words of the suite: Control, Verdict, Named, Breach, Attempt, Record. Standard library only."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from assay.effect import Effect
from assay.errors import (
    AssayError,
    AssumptionError,
    PairError,
    PopulationError,
    ProbeError,
    UndeclaredError,
)
from assay.right import DeclaredRight


T = TypeVar("T")


class Verdict(enum.StrEnum):
    """What a control can come to (words of XCCDF 1.2 section 6.6.4.2 where it has them)."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    ERROR = "ERROR"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    NOT_CHECKED = "NOT_CHECKED"


class Tier(enum.StrEnum):
    """Where a control is decided.

    Files, a running stack, under load, or by changing the stack and putting it back.
    """

    STATIC = "static"
    LIVE = "live"
    LOAD = "load"
    DRILL = "drill"


USUAL_EFFECT = {
    Tier.STATIC: Effect.READS,
    Tier.LIVE: Effect.READS,
    Tier.LOAD: Effect.LOAD,
    Tier.DRILL: Effect.DISRUPTS,
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that decides a control.

    Attributes:
        value: the number; None: neither specification nor suite has one, so the profile declares it.
        unit: its unit.
        metric: what is measured.
        specified: the specification gives it, so no profile overrides it.
    """

    value: float | None
    unit: str
    metric: str
    specified: bool = False


@dataclass(frozen=True, slots=True)
class Override:
    """What a profile sets for one control under `[controls."ID"]`: numbers by metric, lists by key."""

    numbers: Mapping[str, float] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Control:
    """One sentence of the specification, as `policies/<family>/<ID>.toml` holds it.

    `digest` is the SHA-256 of that file.

    `lists` are the policy's `[lists]`: names that are allowed, exempt or expected, for example
    `privileged = ["kube-system"]`; `tables` are its `[[tables.NAME]]`, each entry a mapping of texts.

    `effects` says what judging each tier does to the platform, `further` what a part of it does that is left
    out, and NOT_CHECKED, where only the first is allowed. `rights` is what each tier needs to be allowed.
    """

    id: str
    statement: str
    source: str
    owner: str
    tiers: tuple[Tier, ...]
    remedy: str
    limits: tuple[Limit, ...] = ()
    needs: tuple[str, ...] = ()
    maps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    digest: str = ""
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    effects: Mapping[Tier, Effect] = field(default_factory=dict)
    further: Mapping[Tier, Effect] = field(default_factory=dict)
    rights: Mapping[Tier, tuple[DeclaredRight, ...]] = field(default_factory=dict)

    def effect(self, tier: Tier) -> Effect:
        """Return what judging `tier` does to the platform: as the policy declares, else as the tier does."""
        return self.effects.get(tier, USUAL_EFFECT[tier])

    @property
    def family(self) -> str:
        """Return the family, lower case: `sec` of `SEC-27`."""
        return self.id.split("-")[0].lower()


@dataclass(frozen=True, slots=True)
class Named:
    """What a violation planted and a test must name, for example `Pod web/leaky`."""

    what: str

    def __str__(self) -> str:
        """Return the name itself."""
        return self.what


@dataclass(frozen=True, slots=True)
class Breach:
    """A planted number.

    `metric` must be measured `above` (or `below`) by `at_least` (in the metric's unit).
    """

    metric: str
    direction: str
    at_least: float


@dataclass(frozen=True, slots=True)
class Offender:
    """One thing that breaks a control: its name as the platform writes it, and why."""

    ref: str
    why: str = ""

    def __str__(self) -> str:
        """Return `name` or `name: why`."""
        return f"{self.ref}: {self.why}" if self.why else self.ref


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that may be admitted or refused.

    What was tried, whether it got through, and the words of the answer.
    """

    ref: str
    admitted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured number: metric, value, unit."""

    metric: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Unread:
    """One part of a population that could not be read: its name, the reason, and what the reader can do."""

    ref: str
    why: str
    remedy: str = ""


def _ref(thing: object) -> str:
    """Return the name of a thing as the platform writes it: its `ref`, or its text."""
    return str(getattr(thing, "ref", thing))


def _offender(thing: object, why: str) -> Offender:
    if isinstance(thing, Offender):
        return thing
    return Offender(_ref(thing), why or str(getattr(thing, "why", "")))


@dataclass(slots=True)
class Record:
    """What a test talks to; the plugin turns it into one evidence line. `sources` are the probes used so far.

    Every verb may be called more than once. A test notes offenders along the way and ends with
    `assert not control.found`.
    """

    control: Control
    override: Override = Override()
    looked_at: int = 0
    expected: int = 0
    asked: list[str] = field(default_factory=list)
    found: list[Offender] = field(default_factory=list)
    gaps: list[Unread] = field(default_factory=list)
    left_out: list[Unread] = field(default_factory=list)
    numbers: list[Measurement] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    basis: list[str] = field(default_factory=list)
    listener: Callable[[str], object] = field(default=str, repr=False)
    sources: Mapping[str, object] = field(default_factory=dict, repr=False)

    def assume(self, holds: bool, why: str, remedy: str = "") -> None:
        """Go on only if `holds`; else the judgement is ERROR with `why`, and what the reader can do."""
        if not holds:
            raise AssumptionError(why, remedy)

    def ask(self, what: str) -> None:
        """Note one question put to the platform (method and path, command, file), for the evidence.

        Never a secret.
        """
        self.asked.append(what)

    def note(self, key: str, value: object) -> None:
        """Keep a fact worth reading in the evidence. Never a secret."""
        self.notes[key] = str(value)

    def rests_on(self, what: str) -> None:
        """Note that the judgement rests on the word of others, as a signed record is; a PASS says so."""
        self.basis.append(f"rests on a {what}")

    def population(self, things: Iterable[T], of: int | None = None) -> list[T]:
        """Return `things` as a list; where not all of them are there, the control cannot come to PASS.

        Args:
            things: what will be judged.
            of: how many there must be, from an independent source; None where there is none.

        Raises:
            PopulationError: none at all.
        """
        judged = list(things)
        self.looked_at += len(judged)
        self.expected += len(judged) if of is None else of
        if not judged:
            raise PopulationError.of(self.control.id, self.sources)
        if of is not None and len(judged) != of:
            self.unread(
                "the population",
                PopulationError(f"{len(judged)} of {of} looked at", "find out which are missing"),
            )
        return judged

    def sample(self, things: Sequence[object], of: int) -> None:
        """Count `things` as looked at, of more that are there and are left out on purpose.

        What that says of the others is the caller's to note.

        Raises:
            PopulationError: none at all.
        """
        self.looked_at += len(things)
        self.expected += of
        if not things:
            raise PopulationError.of(self.control.id, self.sources)

    def progress(self, text: str) -> None:
        """Show how far a long judgement is; nothing of it is kept."""
        self.listener(f"{self.control.id}: {text}")

    def offender(self, thing: object, why: str = "") -> None:
        """Note one thing that breaks the control, and why: an Offender, a fact with a `ref`, or a name."""
        self.found.append(_offender(thing, why))

    def offenders(self, things: Iterable[object], why: str = "") -> None:
        """Note every one of several things that break the control."""
        self.found.extend(_offender(thing, why) for thing in things)

    def unread(self, what: object, problem: AssayError) -> None:
        """Note a part of the population that could not be read, and go on with the others.

        With it the control cannot come to PASS: it is ERROR, or FAIL where an offender was found.
        """
        self.gaps.append(Unread(_ref(what), problem.message, problem.remedy))

    @contextmanager
    def part(self, what: object) -> Iterator[None]:
        """Judge one part of a control; where it cannot be read, or is empty, the others are judged still."""
        try:
            yield
        except (ProbeError, AssumptionError, PopulationError) as problem:
            self.unread(what, problem)

    def unchecked(self, part: str, why: str, remedy: str) -> None:
        """Note a part of the control that was left out on purpose, as what this run does not allow.

        With it the control cannot come to PASS: it is NOT_CHECKED, or what the rest of it comes to.
        """
        self.left_out.append(Unread(part, why, remedy))

    def measured(self, value: float, unit: str, metric: str = "value") -> float:
        """Note a measured number and return it."""
        self.numbers.append(Measurement(metric, float(value), unit))
        return float(value)

    def limit(self, metric: str = "value") -> float:
        """Return the number for `metric`: the profile's under `[controls."ID"]`, else the policy's.

        Raises:
            UndeclaredError: neither has it; the control is then NOT_CHECKED.
        """
        if metric in self.override.numbers:
            self.note(f"profile sets {metric}", f"{self.override.numbers[metric]:g}")
            return self.override.numbers[metric]
        known = next((one.value for one in self.control.limits if one.metric == metric), None)
        if known is None:
            raise UndeclaredError(
                f"no number is declared for {metric} of {self.control.id}",
                f'set {metric} under [controls."{self.control.id}"] in the profile',
            )
        return known

    def limits(self) -> tuple[tuple[str, float, str], ...]:
        """Return (metric, number, unit) for each number in force: the profile's, else the policy's."""
        known = ((one.metric, self.override.numbers.get(one.metric, one.value), one.unit)
                 for one in self.control.limits)  # fmt: skip
        return tuple((metric, value, unit) for metric, value, unit in known if value is not None)

    def listed(self, key: str) -> tuple[str, ...]:
        """Return the list `key`: the profile's under `[controls."ID"]`, else the policy's under `[lists]`.

        Raises:
            AssumptionError: the policy has no such list.
        """
        if key not in self.control.lists:
            raise AssumptionError(
                f"{self.control.id}: the policy has no list {key!r}", "add it under [lists]"
            )
        if key in self.override.lists:
            self.note(f"profile sets {key}", ", ".join(self.override.lists[key]))
        return self.override.lists.get(key, self.control.lists[key])

    def table(self, key: str, kind: Callable[..., T]) -> tuple[T, ...]:
        """Return the entries of the policy's `[[tables.key]]`, each made by calling `kind` with its texts.

        Raises:
            AssumptionError: the policy has no such table, or an entry does not fit `kind`.
        """
        rows = self.control.tables.get(key)
        try:
            if rows is not None:
                return tuple(kind(**row) for row in rows)
        except TypeError:
            pass  # said below
        raise AssumptionError(
            f"{self.control.id}: the policy has no such table {key!r}", f"add [[tables.{key}]] as it needs"
        )

    def scalar(self, key: str) -> str:
        """Return the only entry of the list `key`; see `listed`.

        Raises:
            AssumptionError: the list is missing, or has none or several entries.
        """
        entries = self.listed(key)
        if len(entries) != 1:
            raise AssumptionError(
                f"{self.control.id}: {key} has {len(entries)} entries, not 1", "give it exactly one"
            )
        return entries[0]

    def refused(self, attempt: Attempt, baseline: Attempt, layer: str) -> bool:
        """Return True if `attempt` was refused by `layer` and its harmless `baseline` request was admitted.

        An admitted attempt is an offender.

        Raises:
            PairError: the baseline request was refused as well, or the refusal does not name `layer`.
        """
        if not baseline.admitted:
            raise PairError(
                f"{baseline.ref}: the baseline request was refused as well: {baseline.reason}",
                "find out why a harmless request is refused",
            )
        if attempt.admitted:
            self.offender(attempt, "admitted")
            return False
        if layer.lower() not in attempt.reason.lower():
            raise PairError(
                f"{attempt.ref}: refused, but not by {layer}: {attempt.reason}",
                "another layer stands in front",
            )
        return True
