"""The views of a run: files for people, for CI and for other tools. They decide nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from assay.run.allure_results import write_results
from assay.run.junit import junit_text
from assay.run.options import RunOptions
from assay.run.outcome import Outcome
from assay.run.past import earlier_runs
from assay.run.requests import requests_text
from assay.run.sarif import sarif_text


def write_views(options: RunOptions, outcome: Outcome) -> None:
    """Write every view of a run to the folder of reports, and JUnit and Allure where pytest was told to."""
    texts: Mapping[str, Callable[[Outcome], str]] = {
        "verdicts.json": _verdicts,
        "summary.txt": lambda one: "\n".join([*one.lines, "", one.line, ""]),
        "junit.xml": junit_text,
        f"{outcome.past.run}.sarif": sarif_text,
        f"{outcome.past.run}.requests.json": requests_text,
    }
    options.reports.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (options.reports / name).write_text(text(outcome), encoding="utf-8")
    if options.junit is not None:
        options.junit.parent.mkdir(parents=True, exist_ok=True)
        options.junit.write_text(junit_text(outcome), encoding="utf-8")
    if options.allure is not None:
        write_results(options.allure, outcome, trend(options.reports, outcome))


def trend(reports: Path, outcome: Outcome) -> list[Outcome]:
    """Return what earlier runs of the same stack came to, newest first."""
    identity = outcome.past.identity
    folder, stack = reports / "evidence", str(identity.get("stack", ""))
    found = earlier_runs(folder, stack, str(identity.get("cluster_uid", "")))
    return [outcome.of(one) for one in found if one.opening.started < outcome.past.opening.started]


def _verdicts(outcome: Outcome) -> str:
    """Return the verdicts as JSON."""
    document = {
        "run": outcome.past.run,
        "stack": outcome.past.identity.get("stack", ""),
        "head": outcome.past.chain.head,
        "gate": outcome.line,
        "exit": outcome.code,
        "controls": [
            {
                "id": row.control.id,
                "verdict": str(row.verdict),
                "owner": row.control.owner,
                "reason": row.reason,
                "in_scope": row.in_scope,
                "covered": row.covered,
                "waived": row.waived,
                "stand_ins": sorted({part for one in row.judgements for part in one.standins}),
            }
            for row in outcome.rows
        ],
    }
    return json.dumps(document, indent=1) + "\n"
