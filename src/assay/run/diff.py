"""What turned between two runs, by owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from assay.model import Verdict
from assay.run.gate import ControlRow
from assay.run.outcome import Outcome


# How bad a verdict is; those that are not named are good.
BADNESS = {Verdict.FAIL: 3, Verdict.ERROR: 2, Verdict.NOT_CHECKED: 1}
MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class Turn:
    """A control that another run saw otherwise.

    Attributes:
        before: its row in the one run.
        after: its row in the other.
        came: offenders that only the other run has.
        went: offenders that only the one run has.
    """

    before: ControlRow
    after: ControlRow
    came: tuple[str, ...]
    went: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Return whether it turned for the worse: a worse verdict, or new offenders of the same one."""
        bad = _badness(self.after) - _badness(self.before)
        return bad > 0 or (bad == 0 and bool(self.came))


@dataclass(frozen=True, slots=True)
class Difference:
    """What turned between two runs, the lines that say so, and 1 if anything turned for the worse, else 0."""

    turns: tuple[Turn, ...]
    lines: tuple[str, ...]
    code: int


def compare_runs(before: Outcome, after: Outcome) -> Difference:
    """Return what turned from one run to another."""
    earlier = {row.control.id: row for row in before.rows}
    turns = tuple(turn for row in after.rows if (turn := _turn(earlier[row.control.id], row)) is not None)
    return Difference(turns, tuple(_lines(before, after, turns)), int(any(turn.worse for turn in turns)))


def _turn(before: ControlRow, after: ControlRow) -> Turn | None:
    old, new = _offenders(before), _offenders(after)
    came = tuple(ref for ref in new if ref not in old)
    went = tuple(ref for ref in old if ref not in new)
    same = (before.verdict, before.waived) == (after.verdict, after.waived)
    return None if same and not came and not went else Turn(before, after, came, went)


def _offenders(row: ControlRow) -> dict[str, None]:
    return dict.fromkeys(ref for ref, _ in row.offenders)


def _badness(row: ControlRow) -> int:
    return 0 if row.waived else BADNESS.get(row.verdict, 0)


def _lines(before: Outcome, after: Outcome, turns: Sequence[Turn]) -> Iterator[str]:
    yield f"before: {_stack(before)}{before.line}"
    yield f"after:  {_stack(after)}{after.line}"
    for remark in _warnings(before, after):
        yield f"note: {remark}"
    for worse, title in ((True, "turned for the worse"), (False, "turned otherwise")):
        group = sorted(
            (turn for turn in turns if turn.worse is worse),
            key=lambda turn: (turn.after.control.owner, turn.after.control.id),
        )
        if group:
            yield f"\n{title} ({len(group)})"
        for owner, part in groupby(group, key=lambda turn: turn.after.control.owner):
            yield f"  {owner}"
            for turn in part:
                yield from _turned(turn)
    worse_count = sum(turn.worse for turn in turns)
    yield f"\n{len(turns)} of {len(after.rows)} controls turned, {worse_count} for the worse"


def _turned(turn: Turn) -> Iterator[str]:
    row = turn.after
    yield f"    {row.control.id:8} {_word(turn.before)} -> {_word(row)}  {row.control.statement}"
    if row.reason and row.verdict is not Verdict.PASS:
        yield f"             because: {row.reason}"
    for sign, refs in (("+", turn.came), ("-", turn.went)):
        yield from (f"             {sign} {ref}" for ref in refs[:MAX_NAMED])
        if len(refs) > MAX_NAMED:
            yield f"             {sign} ... and {len(refs) - MAX_NAMED} more"


def _word(row: ControlRow) -> str:
    return f"{row.verdict}{' (waived)' if row.waived else ''}"


def _stack(one: Outcome) -> str:
    return f"{one.past.title}, stack {one.past.identity.get('stack', '')}: "


def _warnings(before: Outcome, after: Outcome) -> Iterator[str]:
    for key, name in (("stack", "stacks"), ("cluster_uid", "clusters"), ("profile", "profiles")):
        old, new = before.past.identity.get(key), after.past.identity.get(key)
        if old and new and old != new:
            yield f"the runs are of different {name}"
    if before.past.opening.policies != after.past.opening.policies:
        yield "the policies changed between the runs"
    for one in (before, after):
        if one.past.closing is None:
            yield f"{one.past.title}: verdicts are missing"
