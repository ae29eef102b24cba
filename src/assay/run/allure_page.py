"""The page of one control in the Allure report, as HTML; every text of the platform is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from assay.model import Verdict
from assay.run.entries import Judgement
from assay.run.gate import ControlRow
from assay.run.outcome import Outcome


MAX_OFFENDERS = 100


def page(row: ControlRow, outcome: Outcome) -> str:
    """Return what the page says of a control: what must hold, what came of it, whose it is, what to do."""
    return "\n".join(_parts(row, outcome))


def _parts(row: ControlRow, outcome: Outcome) -> Iterator[str]:
    control = row.control
    yield f"<p>{escape(control.statement)}</p>"
    yield _table(list(_facts(row, outcome)))
    if row.verdict in (Verdict.FAIL, Verdict.ERROR):
        yield f"<p><b>What to do</b>: {escape(_remedy(row))}</p>"
    for one in row.judgements:
        yield from _offenders(one)
    for finding in outcome.catalogue.findings:
        if finding.control == control.id:
            yield f"<p><b>SPEC {escape(finding.id)}</b>, the specification is wrong here:</p>"
            yield _table([("It says", finding.says), ("Fact", finding.fact)])


def _facts(row: ControlRow, outcome: Outcome) -> Iterator[tuple[str, str]]:
    control = row.control
    yield "Verdict", f"{row.verdict}{', WAIVED' if row.waived else ''}"
    if row.reason:
        yield "Because", row.reason
    yield "Owner", control.owner
    yield "Source", control.source
    yield "In scope", "yes" if row.in_scope else "no: the profile accepts this stack on other controls"
    if control.maps:
        yield "Maps to", "; ".join(f"{name} {', '.join(ids)}" for name, ids in control.maps.items())
    for one in row.judgements:
        if one.waived:
            yield f"Waived ({one.tier})", one.waived
    for part in sorted({part for one in row.judgements for part in one.standins}):
        yield "Stand-in", f"{part}: {outcome.stand_in(part)}"
    if overrides := outcome.overrides(control.id):
        yield "Profile sets", overrides
    for one in row.judgements:
        if one.run and one.run != outcome.past.run:
            yield f"Judged earlier ({one.tier})", f"in run {one.run}, {one.end[:16].replace('T', ' ')} UTC"


def _remedy(row: ControlRow) -> str:
    found = [one.remedy for one in row.judgements if one.remedy and one.verdict == row.verdict]
    return " ".join(dict.fromkeys(found)) or row.control.remedy


def _offenders(one: Judgement) -> Iterator[str]:
    shown = one.offenders[:MAX_OFFENDERS]
    if shown:
        count = f"{len(shown)} of {max(one.found, len(shown))}"
        yield f"<p><b>Offenders</b> ({escape(one.tier)}), {count}:</p>"
        yield _table(list(shown))
    if one.unread:
        yield f"<p><b>Could not be read</b> ({escape(one.tier)}):</p>"
        yield _table((ref, f"{why} - {fix}" if fix else why) for ref, why, fix in one.unread[:MAX_OFFENDERS])


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td><b>{escape(key)}</b></td><td>{escape(value)}</td></tr>" for key, value in rows)
    return f"<table>{cells}</table>"
