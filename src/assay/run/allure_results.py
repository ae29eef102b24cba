"""Allure results of a run: one per control of the catalogue, made from our record and from nothing else.

What pytest would report is a case per test: most of the catalogue would be missing, and a control with two
tests would be two rows. Here a control is one row, its tests are its steps, and its page says what is wrong,
where, whose it is and what to do.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import (
    Attachment,
    Label,
    Parameter,
    Status,
    StatusDetails,
    TestResult,
    TestStepResult,
)

from assay.model import Verdict
from assay.run.allure_page import page
from assay.run.entries import Judgement, row_of
from assay.run.gate import ControlRow
from assay.run.outcome import Outcome


STATUS = {Verdict.PASS: Status.PASSED, Verdict.FAIL: Status.FAILED, Verdict.ERROR: Status.BROKEN}
SPACE = uuid.UUID("7d3c5c39-3f5e-4a4c-9d0c-2c6c0f9a6b41")  # of the ids by which Allure knows a control again
TREND = 20
IDENTITY = {
    "allowed": "Allowed",
    "cluster_uid": "Cluster",
    "version": "Kubernetes",
    "actor": "Judged as",
    "suite": "Suite",
    "profile": "Profile's SHA-256",
}


def write_results(folder: Path, outcome: Outcome, earlier: Sequence[Outcome] = ()) -> None:
    """Write the results of a run to `folder`, with its environment, its categories and the trend before it.

    Args:
        folder: for the results; made where it is not there.
        outcome: the run.
        earlier: what earlier runs of the same stack came to, newest first.
    """
    log = AllureFileLogger(folder)
    for row in outcome.rows:
        evidence = f"{row.control.id}-evidence.jsonl"
        lines = [json.dumps(row_of(one), ensure_ascii=False) for one in row.judgements]
        if lines:
            log.report_attached_data("\n".join(lines) + "\n", evidence)
        log.report_result(_result(row, outcome, evidence if lines else ""))
    files = {
        "environment.properties": "".join(
            f"{_key(key)} = {_value(text)}\n" for key, text in environment(outcome)
        ),
        "executor.json": json.dumps(_executor(outcome, len(earlier) + 1)),
        "history.json": json.dumps(_history(outcome, earlier)),
        "history-trend.json": json.dumps(_trend(earlier)),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def status_of(row: ControlRow) -> str:
    """Return Allure's status of a control.

    Its front page counts what passed among passed, failed and broken, and leaves out what was skipped. What
    is in scope and was not judged is therefore broken: a page that says 100 % says it of everything in scope.
    """
    if row.verdict is Verdict.NOT_CHECKED and row.in_scope:
        return Status.BROKEN
    return STATUS.get(row.verdict, Status.SKIPPED)


def history_id(control: str) -> str:
    """Return the id by which Allure knows a control again in another run."""
    return uuid.uuid5(SPACE, control).hex


def environment(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield (key, value) of the environment tab; the first five are on the report's first page."""
    identity, opening = outcome.past.identity, outcome.past.opening
    yield "Gate", outcome.line
    yield "Run", outcome.past.title
    yield "Stack", f"{identity.get('stack', '')} ({identity.get('stack_kind', '')})"
    yield "Stand-ins", ", ".join(part for part, *_ in opening.stand_ins) or "none"
    yield "Profile overrides", ", ".join(control for control, _ in opening.overrides) or "none"
    for number, remark in enumerate(outcome.remarks, 1):
        if not remark.startswith("stand-in: "):
            yield f"Remark {number}", remark
    for part, reason, touches in opening.stand_ins:
        yield f"Stand-in: {part}", f"{reason} (touches {touches})"
    for control, words in opening.overrides:
        yield f"Profile sets for {control}", words
    for finding in outcome.catalogue.findings:
        yield f"SPEC {finding.id} ({finding.control or 'no control'})", finding.says
    for key, name in IDENTITY.items():
        if identity.get(key):
            yield name, str(identity[key])
    for tree, revision in sorted(dict(identity.get("revisions") or {}).items()):
        yield f"Revision of {tree}", str(revision)


def _result(row: ControlRow, outcome: Outcome, evidence: str) -> TestResult:
    control = row.control
    section, _, claim = control.source.partition(";")[0].partition(": ")
    labels = {
        "parentSuite": control.owner,
        "suite": control.family.upper(),
        "epic": section,
        "feature": claim or section,
        "owner": control.owner,
        "control": control.id,
        "run": outcome.past.run,
    }
    tags = [_tag(row), *(f"tier {one.tier}" for one in row.judgements)]
    tags += [
        f"stand-in: {part}" for part in sorted({part for one in row.judgements for part in one.standins})
    ]
    tags += [f"SPEC {one.id}" for one in outcome.catalogue.findings if one.control == control.id]
    start, stop = _span(row, outcome)
    return TestResult(
        uuid=str(uuid.uuid4()),
        name=_title(row),
        fullName=control.id,
        historyId=history_id(control.id),
        testCaseId=history_id(control.id),
        status=status_of(row),
        statusDetails=StatusDetails(message=_message(row) or None),
        descriptionHtml=page(row, outcome),
        labels=[Label(name, value) for name, value in labels.items()]
        + [Label("tag", tag) for tag in dict.fromkeys(tags)],
        steps=[_step(one) for one in row.judgements],
        attachments=[Attachment("evidence", evidence, "application/json")] if evidence else [],
        start=start,
        stop=stop,
    )


def _title(row: ControlRow) -> str:
    word = "" if row.verdict in STATUS and not row.waived else f" [{_tag(row).lower()}]"
    return f"{row.control.id}{word} {row.control.statement}"


def _tag(row: ControlRow) -> str:
    """Return what came of a control in one word that Allure's four statuses do not have."""
    if row.waived:
        return "WAIVED"
    return str(row.verdict).replace("_", " ") if row.verdict not in STATUS else str(row.verdict)


def _message(row: ControlRow) -> str:
    """Return the message that a control is grouped by, its first words those of a category."""
    if row.verdict is Verdict.PASS:
        return ""
    word = "WAIVED" if row.waived else str(row.verdict)
    if row.verdict is Verdict.NOT_CHECKED:
        word += ", in scope" if row.in_scope else ", out of scope"
    return f"{word}: {row.reason}"


def _step(one: Judgement) -> TestStepResult:
    looked = f"{one.looked_at} of {one.expected} looked at" if one.expected else "nothing was counted"
    numbers = [f"{metric} {value:g} {unit}" for metric, value, unit in one.numbers]
    facts = {
        "test": one.test,
        "population": looked,
        "measured": ", ".join(numbers),
        "limits": ", ".join(f"{metric} {value:g} {unit}" for metric, value, unit in one.limits),
        "stand-ins": ", ".join(one.standins),
        "reason": one.reason,
        "judged in run": one.run,
        **{f"note: {key}": text for key, text in one.notes.items()},
    }
    return TestStepResult(
        name=f"{one.tier}: {one.verdict}, {looked}",
        status=STATUS.get(Verdict(one.verdict), Status.SKIPPED),
        parameters=[Parameter(name, value) for name, value in facts.items() if value],
        start=_ms(one.start),
        stop=_ms(one.end),
    )


def _span(row: ControlRow, outcome: Outcome) -> tuple[int, int]:
    """Return when a control was judged, ms since 1970; what was not judged stands at the start of the run."""
    begun = _ms(outcome.past.opening.started)
    return (
        min((_ms(one.start) for one in row.judgements), default=begun),
        max((_ms(one.end) for one in row.judgements), default=begun),
    )


def _ms(moment: str) -> int:
    return int(datetime.datetime.fromisoformat(moment).timestamp() * 1000)


def _executor(outcome: Outcome, order: int) -> dict[str, object]:
    """Return what Allure calls the run, and where it stands in the trend."""
    name = {"name": "assay", "type": "assay", "buildName": outcome.past.run}
    return {**name, "buildOrder": order, "reportName": outcome.past.title}


def _history(outcome: Outcome, earlier: Sequence[Outcome]) -> dict[str, object]:
    """Return Allure's history of each control: what it came to in earlier runs, newest first."""
    found: dict[str, object] = {}
    for row in outcome.rows:
        items = [
            {
                "uid": one.past.run,
                "status": status_of(before),
                "statusDetails": _message(before),
                "time": {"start": _span(before, one)[0], "stop": _span(before, one)[1]},
            }
            for one in earlier[:TREND]
            for before in one.rows
            if before.control.id == row.control.id
        ]
        statuses = [str(item["status"]) for item in items]
        statistic = {name: statuses.count(name) for name in set(statuses)} | {"total": len(items)}
        found[history_id(row.control.id)] = {"statistic": statistic, "items": items}
    return found


def _trend(earlier: Sequence[Outcome]) -> list[dict[str, object]]:
    """Return Allure's trend: how many controls came to what in each earlier run, newest first."""
    trend = []
    for order, one in zip(range(len(earlier), 0, -1), earlier, strict=True):
        statuses = [status_of(row) for row in one.rows]
        data = {name: statuses.count(name) for name in ("failed", "broken", "skipped", "passed", "unknown")}
        trend.append(
            {"buildOrder": order, "reportName": one.past.title, "data": data | {"total": len(statuses)}}
        )
    return trend


def _key(text: str) -> str:
    """Return a key as a properties file holds it: what ends a key is escaped."""
    return "".join(f"\\{char}" if char in " :=#!\\" else char for char in " ".join(text.split()))


def _value(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\")
