"""Offenders with a file and a line as SARIF 2.1.0, for editors and code review."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from assay.model import Control, Verdict
from assay.run.entries import Judgement
from assay.run.gate import ControlRow
from assay.run.outcome import Outcome


SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# How an offender in a file is called, `File gitops/app.yaml:12`, and how its reason begins where something in
# the file has a name of its own: `firewall.tf:12: lets in everyone`. Addresses with a port look alike, so the
# second form is believed of the kinds of files only that are judged by line.
IN_NAME = re.compile(r"^File (?P<file>[^:\n]*[^:\s]):(?P<line>[1-9]\d{0,8})\b")
IN_REASON = re.compile(
    r"^(?P<file>[^:\s]+\.(?:tf|tofu|tfvars|hcl|ya?ml|json|md|toml|sh)):(?P<line>[1-9]\d{0,8}):"
)


def sarif_text(outcome: Outcome) -> str:
    """Return what failed and names a file and a line, as SARIF; what is waived is suppressed."""
    found = [
        (row, judged, ref, why, place)
        for row in outcome.rows
        for judged in row.judgements
        if judged.verdict == Verdict.FAIL
        for ref, why in judged.offenders
        if (place := IN_NAME.match(ref) or IN_REASON.match(why)) is not None
    ]
    rules = list(dict.fromkeys(row.control.id for row, *_ in found))
    controls = {row.control.id: row.control for row in outcome.rows}
    past = outcome.past
    run = {
        "tool": {"driver": {
            "name": "assay",
            "version": str(past.identity.get("suite", "")).removeprefix("assay ") or "0",
            "rules": [_rule(controls[name]) for name in rules],
        }},
        "automationDetails": {"id": f"assay/{past.identity.get('stack', '')}/{past.run}"},
        "invocations": [_invocation(outcome)],
        "columnKind": "unicodeCodePoints",
        "results": list(_results(found, rules)),
    }  # fmt: skip
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(control: Control) -> dict[str, Any]:
    return {
        "id": control.id,
        "shortDescription": {"text": control.statement},
        "help": {"text": control.remedy},
        "properties": {"owner": control.owner, "source": control.source},
    }


def _invocation(outcome: Outcome) -> dict[str, Any]:
    closing = outcome.past.closing
    ended = {"endTimeUtc": _utc(closing.ended)} if closing else {}
    return {
        "executionSuccessful": closing is not None and closing.outcome == "complete",
        "exitCode": outcome.code,
        "startTimeUtc": _utc(outcome.past.opening.started),
        **ended,
    }


def _results(
    found: list[tuple[ControlRow, Judgement, str, str, re.Match[str]]], rules: list[str]
) -> Iterator[dict[str, Any]]:
    for row, judged, ref, why, place in found:
        accepted = {"kind": "external", "status": "accepted", "justification": judged.waived}
        text = f"{ref}: {why}" if why else ref
        key = f"{row.control.id}\n{place['file']}\n{why}"
        yield {
            "ruleId": row.control.id,
            "ruleIndex": rules.index(row.control.id),
            "level": "error",
            "message": {"text": text},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": quote(place["file"])},
                "region": {"startLine": int(place["line"])},
            }}],
            "partialFingerprints": {"assay/v1": hashlib.sha256(key.encode()).hexdigest()},
            "suppressions": [accepted] if judged.waived else [],
        }  # fmt: skip


def _utc(text: str) -> str:
    """Return an ISO 8601 time as SARIF wants it, with a Z."""
    return text.replace("+00:00", "Z")
