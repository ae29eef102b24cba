"""JUnit XML for CI: one test case per control of the catalogue, in one suite per owner.

JUnit has no word for a failure that is waived, nor for a control that was not checked: both are skipped, and
say so first. The gate does not read this file.
"""

from __future__ import annotations

import re
from itertools import groupby
from xml.etree import ElementTree as ET

from assay.model import Verdict
from assay.run.gate import ControlRow
from assay.run.outcome import Outcome


MAX_OFFENDERS = 20
# Characters that XML 1.0 cannot hold, escaped or not.
UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ELEMENTS = {Verdict.FAIL: "failure", Verdict.ERROR: "error"}


def junit_text(outcome: Outcome) -> str:
    """Return the run as JUnit XML."""
    rows = sorted(outcome.rows, key=lambda row: (row.control.owner, row.control.id))
    root = ET.Element("testsuites", _counts(rows) | {"name": _fit(f"assay {outcome.line}")})
    for owner, group in groupby(rows, key=lambda row: row.control.owner):
        part = list(group)
        suite = ET.SubElement(root, "testsuite", _counts(part) | {"name": _fit(owner)})
        suite.set("timestamp", outcome.past.opening.started)
        for row in part:
            suite.append(_case(row))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _counts(rows: list[ControlRow]) -> dict[str, str]:
    kinds = [_element(row) for row in rows]
    counts = {f"{kind}s": kinds.count(kind) for kind in ("failure", "error")}
    seconds = sum(one.seconds for row in rows for one in row.judgements)
    return {
        "tests": str(len(rows)),
        **{name: str(count) for name, count in counts.items()},
        "skipped": str(kinds.count("skipped")),
        "time": f"{seconds:.3f}",
    }


def _element(row: ControlRow) -> str:
    """Return the element that says what came of a control, empty for a PASS."""
    if row.verdict is Verdict.PASS:
        return ""
    return "skipped" if row.waived else ELEMENTS.get(row.verdict, "skipped")


def _case(row: ControlRow) -> ET.Element:
    seconds = sum(one.seconds for one in row.judgements)
    name = _fit(f"{row.control.id} {row.control.statement}")
    case = ET.Element(
        "testcase", {"classname": f"assay.{row.control.family}", "name": name, "time": f"{seconds:.3f}"}
    )
    facts = {
        "verdict": f"{row.verdict}{' WAIVED' if row.waived else ''}",
        "owner": row.control.owner,
        "in scope": "yes" if row.in_scope else "no",
        "stand-ins": ", ".join(sorted({part for one in row.judgements for part in one.standins})),
    }
    properties = ET.SubElement(case, "properties")
    for key, value in facts.items():
        ET.SubElement(properties, "property", {"name": key, "value": _fit(value)})
    if kind := _element(row):
        word = f"{row.verdict}{', WAIVED' if row.waived else ''}"
        said = ET.SubElement(case, kind, {"message": _fit(f"{word}: {row.reason}")})
        if kind != "skipped":
            said.set("type", str(row.verdict))
        said.text = _fit("\n".join(_lines(row))) or None
    return case


def _lines(row: ControlRow) -> list[str]:
    lines = []
    for one in row.judgements:
        lines += [f"- {ref}: {why}" if why else f"- {ref}" for ref, why in one.offenders[:MAX_OFFENDERS]]
        more = max(one.found, len(one.offenders)) - len(one.offenders[:MAX_OFFENDERS])
        lines += [f"... and {more} more, all in the evidence"] if more > 0 else []
        lines += [f"- could not be read: {ref}: {why}" for ref, why, _ in one.unread[:MAX_OFFENDERS]]
        lines += [one.waived] if one.waived else []
        lines += [f"remedy: {one.remedy}"] if one.remedy and one.verdict != Verdict.PASS else []
    return lines


def _fit(text: str) -> str:
    return UNFIT.sub("\ufffd", text)
