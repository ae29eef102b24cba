"""The terminal summary: grouped by verdict, then by owner; what is wrong, where, whose, what to do.

No tracebacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from assay.catalogue import SpecFinding
from assay.model import Verdict
from assay.run.entries import Judgement
from assay.run.gate import ControlRow


ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.NOT_CHECKED, Verdict.NOT_APPLICABLE, Verdict.PASS)
MOST_OFFENDERS = 10


def summary(
    table: Sequence[ControlRow],
    findings: Sequence[SpecFinding] = (),
    remarks: Sequence[str] = (),
    *,
    whole: bool = True,
) -> list[str]:
    """Return the lines of the summary: every control of the catalogue has one.

    Args:
        table: one row per control.
        findings: of kind SPEC; they are no verdicts and stand apart.
        remarks: on waivers and stand-ins.
        whole: False: of controls outside this run only the ids are given, a line for each owner.
    """
    covered = [row for row in table if row.covered]
    lines: list[str] = []
    for verdict in ORDER:
        for waived in (False, True):
            group = [row for row in covered if row.verdict is verdict and row.waived is waived]
            if group:
                lines += ["", f"{verdict}{', waived' if waived else ''} ({len(group)})", *_by_owner(group)]
    left = [row for row in table if not row.covered]
    if left:
        rows = _left(left) if whole else _left_ids(left)
        lines += ["", f"outside this run ({len(left)})", *rows]
    if findings:
        lines += [
            "",
            f"SPEC findings ({len(findings)}): the specification against itself or the facts; no verdicts",
        ]
        lines += [f"  {one.id:4} {one.control or '-':8} {one.says}" for one in findings]
    lines += ["", *(f"  {remark}" for remark in remarks)] if remarks else []
    return lines


def _by_owner(group: Sequence[ControlRow]) -> Iterator[str]:
    for owner, rows in groupby(sorted(group, key=_owner_and_id), key=lambda row: row.control.owner):
        yield f"  {owner}"
        for row in rows:
            yield from _row(row)


def _owner_and_id(row: ControlRow) -> tuple[str, str]:
    return row.control.owner, row.control.id


def _left(rows: Iterable[ControlRow]) -> Iterator[str]:
    for owner, group in groupby(sorted(rows, key=_owner_and_id), key=lambda row: row.control.owner):
        yield f"  {owner}"
        for row in group:
            yield f"    {row.control.id:8} {row.verdict}, {row.reason}: {row.control.statement}"


def _left_ids(rows: Iterable[ControlRow]) -> Iterator[str]:
    for owner, group in groupby(sorted(rows, key=_owner_and_id), key=lambda row: row.control.owner):
        yield f"  {owner}: {' '.join(row.control.id for row in group)}"


def _row(row: ControlRow) -> Iterator[str]:
    waived = " WAIVED" if row.waived else ""
    yield f"    {row.control.id:8}{waived} {row.control.statement}{_looked(row.judgements)}"
    if row.verdict is Verdict.PASS:
        return
    if row.reason:
        yield f"             because: {row.reason}"
    for ref, why in row.offenders[:MOST_OFFENDERS]:
        yield f"             - {ref}: {why}" if why else f"             - {ref}"
    more = len(row.offenders[MOST_OFFENDERS:]) + row.unlisted
    if more > 0:
        yield f"             ... and {more} more, in the evidence"
    unread = dict.fromkeys(gap for one in row.judgements for gap in one.unread)
    for ref, why, remedy in list(unread)[:MOST_OFFENDERS]:
        yield f"             ? {ref} could not be read: {why}{f' - {remedy}' if remedy else ''}"
    if len(unread) > MOST_OFFENDERS:
        yield f"             ... and {len(unread) - MOST_OFFENDERS} more unread, in the evidence"
    yield from (f"             {one.waived}" for one in row.judgements if one.waived)
    for remedy in dict.fromkeys(
        one.remedy for one in row.judgements if one.remedy and one.verdict == row.verdict
    ):
        yield f"             remedy: {remedy}"


def _looked(judged: Sequence[Judgement]) -> str:
    parts = []
    for one in judged:
        numbers = ", ".join(f"{metric} {value:g} {unit}" for metric, value, unit in one.numbers)
        count = f"{one.looked_at} of {one.expected}" if one.expected else ""
        standins = f"stand-in: {', '.join(one.standins)}" if one.standins else ""
        basis = one.reason if one.verdict == Verdict.PASS else ""
        facts = [part for part in (count, numbers, standins, basis) if part]
        parts.append(f"{one.tier}: {'; '.join(facts) or '-'}")
    return f" [{' | '.join(parts)}]" if parts else ""
