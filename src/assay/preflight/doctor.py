"""Whether each control can be judged, what it will do to the platform, and exactly what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.catalogue import Catalogue
from assay.config.profile import Profile
from assay.model import Tier
from assay.preflight.check import Check
from assay.preflight.needs import Needs, needs_of
from assay.run.gate import scope_of
from assay.run.progress import earlier


READY, UNREADY = 0, 10
SET = "set "  # before a key that the profile lacks


@dataclass(frozen=True, slots=True)
class Readiness:
    """One case of a control before a run.

    Attributes:
        control: its id.
        tier: of the case.
        owner: who answers for it.
        effect: what judging does to the platform.
        seconds: how long it took the last time; None: it never ran here.
        missing: keys and numbers that the profile lacks, and checks that failed, each one line.
    """

    control: str
    tier: Tier
    owner: str
    effect: str
    seconds: float | None
    missing: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Return whether nothing stands in the way of a verdict."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What doctor found: readiness by case, every check, and controls of the scope without a test."""

    cases: tuple[Readiness, ...]
    checks: tuple[Check, ...]
    untested: tuple[str, ...]

    @property
    def code(self) -> int:
        """Return 0 where every case in scope can be judged and every check held, else 10."""
        return (
            READY if all(one.ready for one in self.cases) and all(one.ok for one in self.checks) else UNREADY
        )

    def as_json(self) -> dict[str, object]:
        """Return the diagnosis as plain data."""
        return {
            "cases": [asdict(one) | {"ready": one.ready} for one in self.cases],
            "checks": [asdict(one) | {"cases": sorted(map(list, one.cases))} for one in self.checks],
            "untested": list(self.untested),
            "code": self.code,
        }


def diagnose(
    catalogue: Catalogue, profile: Profile, checks: Sequence[Check], seconds: Mapping[tuple[str, Tier], float]
) -> Diagnosis:
    """Return which cases in scope can be judged.

    Args:
        catalogue: controls and cases.
        profile: of the stack.
        checks: what was tried.
        seconds: how long a case took the last time, by control and tier.
    """
    scope = scope_of(catalogue, profile) - set(profile.not_applicable)
    failed = [one for one in checks if not one.ok]
    cases = tuple(
        _readiness(needs, catalogue, profile, failed, seconds)
        for needs in needs_of(catalogue)
        if needs.control in scope
    )
    return Diagnosis(cases, tuple(checks), tuple(sorted(scope - catalogue.judged)))


def last_seconds(catalogue: Catalogue, folder: Path) -> dict[tuple[str, Tier], float]:
    """Return how long each case took the last time it ran here, by control and tier, from evidence files."""
    known = earlier(folder)
    return {
        (case.control, case.tier): took.seconds
        for case in catalogue.cases
        for test, took in known.items()
        if test.endswith(f"{case.path.name}::{case.function}")
    }


def _readiness(
    needs: Needs,
    catalogue: Catalogue,
    profile: Profile,
    failed: Sequence[Check],
    seconds: Mapping[tuple[str, Tier], float],
) -> Readiness:
    control = catalogue.controls[needs.control]
    missing = [SET + key for key in needs.missing(profile)]
    missing += [
        f"{one.subject}: {one.says}" for one in failed if one.stops(needs.control, needs.tier, needs.systems)
    ]
    effect = str(control.effect(needs.tier))
    took = seconds.get((needs.control, needs.tier))
    return Readiness(needs.control, needs.tier, control.owner, effect, took, tuple(missing))


def report_lines(found: Diagnosis) -> Iterator[str]:
    """Yield the lines that a person reads: failures, each case, readiness by owner, the verdict."""
    bad = [one for one in found.checks if not one.ok]
    yield f"tried: {len(found.checks)} credentials, rights, addresses, clocks and tools; {len(bad)} failed"
    for one in bad:
        yield f"  {one.kind:10} {one.subject}: {one.says} - {one.remedy}"
    yield ""
    yield f"{'control':8} {'tier':6} {'effect':8} {'takes':>7}  ready"
    for case in found.cases:
        takes = f"{case.seconds:.0f} s" if case.seconds is not None else "?"
        state = "yes" if case.ready else f"NO: {_in_one_line(case.missing)}"
        yield f"{case.control:8} {case.tier!s:6} {case.effect:8} {takes:>7}  {state}"
    yield ""
    yield from _by_owner(found)
    lacks = Counter(line for case in found.cases for line in case.missing)
    if lacks:
        yield ""
        yield "missing, with the number of cases that wait for it; stacks/example.toml explains each key"
        yield from (f"  {count:3}  {line}" for line, count in lacks.most_common())
    if found.untested:
        yield ""
        yield f"{len(found.untested)} in scope have no test yet: {', '.join(found.untested)}"
    yield ""
    ready = sum(one.ready for one in found.cases)
    state = "READY" if found.code == READY else "NOT READY"
    yield f"{state}: {ready} of {len(found.cases)} cases can be judged"


def _in_one_line(missing: Sequence[str]) -> str:
    keys = [line.removeprefix(SET) for line in missing if line.startswith(SET)]
    others = [line for line in missing if not line.startswith(SET)]
    return "; ".join([*([SET + ", ".join(keys)] if keys else []), *others])


def _by_owner(found: Diagnosis) -> Iterator[str]:
    total = Counter(one.owner for one in found.cases)
    ready = Counter(one.owner for one in found.cases if one.ready)
    for owner in sorted(total):
        yield f"{owner}: {ready[owner]} of {total[owner]} ready"
