"""The page of one control in the Allure report, as HTML; every text of the platform is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from assay.model import Verdict
from assay.run.entries import Judgement
from assay.run.gate import ControlRow
from assay.run.outcome import Outcome


MAX_OFFENDERS = 100
# The page resets the look of its elements, so it is said here; colours are left to its theme, light or dark.
CELL = "padding: 3px 20px 3px 0; vertical-align: top"
KEY = f"{CELL}; font-weight: 600"
HEAD = "font-weight: 600; margin: 14px 0 4px"


def page(row: ControlRow, outcome: Outcome) -> str:
    """Return what the page says of a control beside its name and message: what to do, where, what else."""
    return "\n".join(_parts(row, outcome))


def _parts(row: ControlRow, outcome: Outcome) -> Iterator[str]:
    if row.verdict in (Verdict.FAIL, Verdict.ERROR):
        yield _head("What to do")
        yield f"<p>{escape(_remedy(row))}</p>"
    for one in row.judgements:
        yield from _offenders(one)
    yield _head("What it rests on")
    yield _table(_facts(row, outcome))
    for finding in outcome.catalogue.findings:
        if finding.control == row.control.id:
            yield _head(f"SPEC {finding.id}: the specification is wrong here")
            yield _table([("It says", finding.says), ("Fact", finding.fact)])


def _facts(row: ControlRow, outcome: Outcome) -> Iterator[tuple[str, str]]:
    control, judged = row.control, row.judgements
    yield "Verdict", f"{row.verdict}{', WAIVED' if row.waived else ''}"
    if row.verdict is Verdict.PASS and row.reason:
        yield "But", row.reason
    yield "Specification", control.source
    yield "In scope", "yes" if row.in_scope else "no: the profile accepts this stack on other controls"
    if control.maps:
        yield "Maps to", "; ".join(f"{name} {', '.join(ids)}" for name, ids in control.maps.items())
    yield from ((f"Waived ({one.tier})", one.waived) for one in judged if one.waived)
    for part in sorted({part for one in judged for part in one.standins}):
        yield "Stand-in", f"{part}: {outcome.stand_in(part)}"
    if overrides := outcome.overrides(control.id):
        yield "Profile sets", overrides
    for one in judged:
        if one.run and one.run != outcome.past.run:
            yield f"Judged earlier ({one.tier})", f"in run {one.run}, {one.end[:16].replace('T', ' ')} UTC"


def _remedy(row: ControlRow) -> str:
    found = [one.remedy for one in row.judgements if one.remedy and one.verdict == row.verdict]
    return " ".join(dict.fromkeys(found)) or row.control.remedy


def _offenders(one: Judgement) -> Iterator[str]:
    distinct = list(dict.fromkeys(one.offenders))
    if distinct:
        shown, more = distinct[:MAX_OFFENDERS], max(0, one.found - len(one.offenders))
        more += len(distinct) - len(shown)
        yield _head(f"Offenders ({one.tier}){f', {len(shown)} and {more} more' if more else ''}")
        yield _table(shown)
    if one.unread:
        yield _head(f"Could not be read ({one.tier})")
        yield _table((ref, f"{why} - {fix}" if fix else why) for ref, why, fix in one.unread[:MAX_OFFENDERS])


def _head(text: str) -> str:
    return f'<p style="{HEAD}">{escape(text)}</p>'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><td style="{KEY}">{escape(key)}</td><td style="{CELL}">{escape(value)}</td></tr>'
        for key, value in rows
    )
    return f"<table>{cells}</table>"
