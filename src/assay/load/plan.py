"""What a load run will do, fixed before it starts, and the raw record of what it did.

Read strictly: half a record is an error.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from assay.errors import ProbeError


MAX_ARRIVALS = 200_000
MAX_SECONDS = 3600.0
RERUN = "run the load again; a record is never repaired"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One run with open arrivals against one address. Times in seconds, `rate` in arrivals per second.

    The first `warm` arrivals are sent and recorded but never judged; the `judged` ones after them are.
    `paths` are asked in turn. `name` is the host name the certificate must carry and the Host header sends,
    which may differ from the host in `url`. `headers` is a file with what each request carries, never its
    content: a plan is written down.
    """

    url: str
    paths: tuple[str, ...]
    name: str
    ca: str
    rate: float
    warm: int
    judged: int
    seed: int
    deadline: float = 10.0
    headers: str = ""

    def __post_init__(self) -> None:
        """Refuse a plan without an end: count, time and rate are bounded.

        Raises:
            ProbeError: a number is out of its bounds, or there is no path.
        """
        if not self.paths or not all(isinstance(path, str) and path.startswith("/") for path in self.paths):
            raise ProbeError("load plan without a path that begins with /", "set paths under [api]")
        if not (0 < self.rate <= 10_000 and self.warm >= 0 and self.judged >= 1 and 0 < self.deadline <= 120):
            raise ProbeError(
                f"load plan out of bounds: rate {self.rate}, judged {self.judged}", "declare a sane peak rate"
            )
        if self.arrivals > MAX_ARRIVALS or self.arrivals / self.rate > MAX_SECONDS:
            raise ProbeError(
                f"load plan too long: {self.arrivals} arrivals at {self.rate}/s", "plan fewer arrivals"
            )

    @property
    def arrivals(self) -> int:
        """Return how many requests will become due, warm-up included."""
        return self.warm + self.judged

    @property
    def longest(self) -> float:
        """Return the seconds after which the run is over at the latest: last due moment and drain."""
        return due_times(self)[-1] + self.deadline

    def path_of(self, seq: int) -> str:
        """Return which path the arrival with this number asks for."""
        return self.paths[seq % len(self.paths)]

    def write(self, path: Path) -> None:
        """Write the plan as JSON to `path`, which must not exist yet."""
        with path.open("x", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)


def read_plan(path: Path) -> LoadPlan:
    """Return the plan in the JSON file `path`.

    Raises:
        ProbeError: not JSON, or a key too many, missing or of another type.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(LoadPlan)}
        if not isinstance(raw, dict) or set(raw) - known:
            raise ProbeError(f"{path.name}: not a load plan", f"allowed keys: {', '.join(sorted(known))}")
        return LoadPlan(**{**raw, "paths": tuple(raw["paths"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ProbeError(f"{path.name}: not a load plan: {error}", "write it anew") from error


def due_times(plan: LoadPlan) -> list[float]:
    """Return the moment every arrival becomes due, in seconds after the start.

    A Poisson stream that depends on rate, count and seed alone.
    """
    source = random.Random(plan.seed)  # noqa: S311 - reproducible arrivals, no secret
    now, moments = 0.0, []
    for _ in range(plan.arrivals):
        now += source.expovariate(plan.rate)
        moments.append(now)
    return moments


@dataclass(frozen=True, slots=True)
class LoadSample:
    """One arrival: when it was due, sent, fully answered (seconds after the start), and the answer.

    `sent` is None if it never left, `done` is None if no full answer came before the deadline; `why` says
    what went wrong.
    """

    seq: int
    due: float
    sent: float | None
    done: float | None
    status: int
    ok: bool
    why: str
    cached: bool

    @property
    def latency(self) -> float:
        """Return seconds from the due moment to the full answer; infinite for all but a good one."""
        return self.done - self.due if self.ok and self.done is not None else float("inf")

    @property
    def lag(self) -> float:
        """Return seconds the request left after its due moment, the generator's own lateness."""
        return self.sent - self.due if self.sent is not None else float("inf")


@dataclass(frozen=True, slots=True)
class Generator:
    """What the load generator knew about itself at the end. Seconds and shares of one core.

    `gap` is the longest silence between two of its heartbeats, `busiest` the highest share of CPU time in
    a one-second window, `echo` the round trips of its own loopback probe.
    """

    arrivals: int
    gap: float
    busiest: float
    echo: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A complete record: the plan, every planned arrival in order, and the generator's view of itself.

    `path` narrows what is judged to the requests for one of the plan's paths; empty: all of them.
    """

    plan: LoadPlan
    samples: tuple[LoadSample, ...]
    generator: Generator
    path: str = ""

    @property
    def judged(self) -> tuple[LoadSample, ...]:
        """Return the samples after the warm-up, of `path` alone where there is one."""
        after = self.samples[self.plan.warm :]
        return tuple(one for one in after if self.path in ("", self.plan.path_of(one.seq)))

    def of(self, path: str) -> Run:
        """Return the same record, judged by the requests for one path."""
        return replace(self, path=path)


def read_run(plan: LoadPlan, path: Path) -> Run:
    """Return the run recorded in the JSON-lines file `path` after comparing it with `plan`.

    Raises:
        ProbeError: unreadable, cut short, an arrival lost, doubled, or due at another moment than planned.
    """
    lines = _lines(path)
    if not lines or lines[-1].get("end") is not True:
        raise ProbeError(f"{path.name}: the load generator did not finish its record", RERUN)
    samples = sorted((_sample(path, line) for line in lines[:-1]), key=lambda sample: sample.seq)
    _complete(plan, samples)
    return Run(plan, tuple(samples), _generator(path, lines[-1]))


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        parsed = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ProbeError(f"{path.name}: unreadable record: {error}", RERUN) from error
    if not all(isinstance(line, dict) for line in parsed):
        raise ProbeError(f"{path.name}: unreadable record: a line is not an object", RERUN)
    return parsed


_KINDS: Mapping[str, tuple[type, ...]] = {
    "seq": (int,),
    "due": (float,),
    "sent": (float, type(None)),
    "done": (float, type(None)),
    "status": (int,),
    "ok": (bool,),
    "why": (str,),
    "cached": (bool,),
}


def _sample(path: Path, line: dict[str, Any]) -> LoadSample:
    if set(line) != set(_KINDS) or any(type(line[key]) not in kinds for key, kinds in _KINDS.items()):
        raise ProbeError(f"{path.name}: a line is not a request record: {sorted(line)}", RERUN)
    sample = LoadSample(**line)
    times = [time for time in (sample.due, sample.sent, sample.done) if time is not None]
    backwards = times != sorted(times) or not all(map(math.isfinite, times))
    if backwards or (sample.ok and (sample.sent is None or sample.done is None)):
        raise ProbeError(f"{path.name}: request {sample.seq} contradicts itself", RERUN)
    return sample


def _generator(path: Path, line: dict[str, Any]) -> Generator:
    try:
        echo = tuple(float(value) for value in line["echo"])
        return Generator(int(line["arrivals"]), float(line["gap"]), float(line["busiest"]), echo)
    except (KeyError, TypeError, ValueError) as error:
        raise ProbeError(
            f"{path.name}: the last line is not the generator's summary: {error}", RERUN
        ) from error


def _complete(plan: LoadPlan, samples: list[LoadSample]) -> None:
    if [sample.seq for sample in samples] != list(range(plan.arrivals)):
        raise ProbeError(
            f"{len(samples)} requests on record, {plan.arrivals} were due: some are lost or doubled", RERUN
        )
    for sample, due in zip(samples, due_times(plan), strict=True):
        if abs(sample.due - due) > 1e-6:
            raise ProbeError(f"request {sample.seq} was due at another moment than planned", RERUN)
