"""Every view of a run has one row per control of the catalogue, and says what was not judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.run.allure_page import page
from assay.run.allure_results import environment, write_results
from assay.run.junit import junit_text
from assay.run.outcome import Outcome
from assay.run.sarif import sarif_text
from tests.unit.support.outcomes import JUDGED, NAMES, judged, outcome


def cases(text: str) -> dict[str, ET.Element]:
    return {str(one.get("name")).split()[0]: one for one in ET.fromstring(text).iter("testcase")}


def test_junit_has_a_case_for_each_control_and_counts_a_waived_failure_as_skipped() -> None:
    text = junit_text(outcome(*JUDGED))
    found = cases(text)
    assert sorted(found) == sorted(NAMES)
    kinds = {name: [one.tag for one in case if one.tag != "properties"] for name, case in found.items()}
    assert kinds == {
        "NET-01": [], "NET-02": ["failure"], "NET-03": ["skipped"], "NET-04": ["error"],
        "NET-05": ["skipped"], "NET-06": ["skipped"], "NET-07": ["skipped"],
    }  # fmt: skip
    messages = {name: case[1].get("message") for name, case in found.items() if len(case) > 1}
    assert str(messages["NET-03"]).startswith("FAIL, WAIVED: 1 offender")
    assert messages["NET-05"] == "NOT_APPLICABLE: no such part here"
    assert str(messages["NET-06"]).startswith("NOT_CHECKED: tier static: its effect is writes")
    assert messages["NET-07"] == "NOT_CHECKED: no test yet"
    assert "- File infra/main.tf:12: is open\nremedy: Close it." in str(found["NET-02"][1].text)
    root = ET.fromstring(text)
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == (
        "7",
        "1",
        "1",
        "4",
    )
    suites = list(root)
    assert [suite.get("name") for suite in suites] == ["Infra", "Security"]
    assert sum(int(str(suite.get("tests"))) for suite in suites) == 7


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_makes_valid_views(ref: str, why: str) -> None:
    found = outcome(judged("NET-02", "FAIL", (ref, why), reason=why, remedy=ref))
    assert sorted(cases(junit_text(found))) == sorted(NAMES)
    json.loads(sarif_text(found))
    assert "<script" not in page(found.rows[1], found).lower()


def valid(document: dict[str, Any]) -> None:
    """Check what the published schema of SARIF 2.1.0 requires of the parts that are written."""
    assert set(document) >= {"version", "runs"}
    assert document["version"] == "2.1.0"
    for run in document["runs"]:
        assert run["tool"]["driver"]["name"]
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert len(set(rules)) == len(rules)
        assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        for invocation in run["invocations"]:
            assert isinstance(invocation["executionSuccessful"], bool)
            assert all(invocation[key].endswith("Z") for key in ("startTimeUtc", "endTimeUtc"))
        for result in run["results"]:
            assert result["message"]["text"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert rules[result["ruleIndex"]] == result["ruleId"]
            for place in result["locations"]:
                assert " " not in place["physicalLocation"]["artifactLocation"]["uri"]
                assert place["physicalLocation"]["region"]["startLine"] >= 1
            assert all(one["kind"] in ("inSource", "external") for one in result["suppressions"])


def test_sarif_holds_the_offenders_that_have_a_file_and_a_line() -> None:
    document = json.loads(sarif_text(outcome(*JUDGED, judged("NET-05", "PASS"))))
    valid(document)
    (result,) = document["runs"][0]["results"]
    assert result["ruleId"] == "NET-02"
    assert result["message"]["text"] == "File infra/main.tf:12: is open"
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("infra/main.tf", 12)


@pytest.mark.parametrize(
    ("ref", "why", "place"),
    [
        ("File gitops/a b.yaml:3", "holds a secret", ("gitops/a b.yaml", 3)),
        ("hcloud_firewall.open", "firewall.tf:7: lets in 0.0.0.0/0", ("firewall.tf", 7)),
        ("Pod a/b", "is bad", None),
        ("Restore etcd", "took 12:30", None),
        ("https://192.0.2.1:6443", "answers", None),
        ("Node n", "192.0.2.1:22 is open", None),
    ],
)
def test_a_place_is_a_file_and_a_line(ref: str, why: str, place: tuple[str, int] | None) -> None:
    document = json.loads(sarif_text(outcome(judged("NET-02", "FAIL", (ref, why), waived="by Ann"))))
    valid(document)
    results = document["runs"][0]["results"]
    found = [one["locations"][0]["physicalLocation"] for one in results]
    assert [(unquote(one["artifactLocation"]["uri"]), one["region"]["startLine"]) for one in found] == (
        [place] if place else []
    )
    assert all(one["suppressions"][0]["justification"] == "by Ann" for one in results)


def results(folder: Path, made: Outcome, earlier: tuple[Outcome, ...] = ()) -> dict[str, dict[str, Any]]:
    write_results(folder, made, earlier)
    rows = [json.loads(path.read_text()) for path in folder.glob("*-result.json")]
    return {row["fullName"]: row for row in rows}


def test_allure_has_a_result_for_each_control_and_never_all_passed(tmp_path: Path) -> None:
    found = results(tmp_path, outcome(*JUDGED))
    assert {name: row["status"] for name, row in found.items()} == {
        "NET-01": "passed", "NET-02": "failed", "NET-03": "failed", "NET-04": "broken",
        "NET-05": "skipped", "NET-06": "broken", "NET-07": "skipped",
    }  # fmt: skip
    heads = {
        name: row["statusDetails"]["message"].split(":")[0] for name, row in found.items() if name != "NET-01"
    }
    assert heads == {
        "NET-02": "FAIL", "NET-03": "WAIVED", "NET-04": "ERROR", "NET-05": "NOT_APPLICABLE",
        "NET-06": "NOT_CHECKED, in scope", "NET-07": "NOT_CHECKED, out of scope",
    }  # fmt: skip
    labels = {(one["name"], one["value"]) for one in found["NET-01"]["labels"]}
    assert labels >= {
        ("owner", "Security"), ("parentSuite", "Security"), ("epic", "Section"), ("feature", "Claim"),
        ("tag", "stand-in: gateway"), ("tag", "SPEC S1"), ("run", "r"),
    }  # fmt: skip
    assert found["NET-03"]["name"].startswith("NET-03 [waived] ")
    assert len({row["historyId"] for row in found.values()}) == len(NAMES)


def test_the_page_of_a_control_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    found = results(tmp_path, outcome(*JUDGED))
    text = found["NET-02"]["descriptionHtml"]
    for words in ("File infra/main.tf:12", "is open", "Close it.", "limit = 3", "Section: Claim"):
        assert words in text
    assert "gateway: Caddy" in found["NET-01"]["descriptionHtml"]
    assert "It is not so." in found["NET-01"]["descriptionHtml"]
    assert found["NET-05"]["statusDetails"]["message"] == "NOT_APPLICABLE: no such part here"
    assert "waived by Ann" in found["NET-03"]["descriptionHtml"]
    tab = dict(environment(outcome(*JUDGED)))
    assert list(tab)[:5] == [
        "Gate",
        "Run",
        "Stack",
        "Stand-ins",
        "Profile overrides",
    ]  # seen on the first page
    assert tab["Stand-in: gateway"] == "Caddy (touches api)"
    assert tab["Profile sets for NET-02"] == "limit = 3"
    assert tab["SPEC S1 (NET-01)"] == "The text says so."
    assert "waiver for NET-01 (*): not needed" in tab.values()


def test_a_joined_run_says_which_judgement_is_of_which_run(tmp_path: Path) -> None:
    made = outcome(replace(JUDGED[0], run="earlier"), joined="1 of 1 judgements are of run earlier")
    assert made.line.endswith("JOINED: 1 of 1 judgements are of run earlier")
    assert "in run earlier" in results(tmp_path, made)["NET-01"]["descriptionHtml"]


def test_the_trend_is_that_of_the_evidence(tmp_path: Path) -> None:
    results(tmp_path, outcome(*JUDGED), (outcome(JUDGED[0]), outcome(JUDGED[1])))
    trend = json.loads((tmp_path / "history-trend.json").read_text())
    assert [(one["buildOrder"], one["data"]["passed"], one["data"]["failed"]) for one in trend] == [
        (2, 1, 0),
        (1, 0, 1),
    ]
    assert all(one["data"]["total"] == 7 for one in trend)
    history = json.loads((tmp_path / "history.json").read_text())
    assert all(len(one["items"]) == 2 for one in history.values())
    assert len(history) == len(NAMES)


def test_what_a_platform_says_is_escaped_on_the_page() -> None:
    bad = "<img src=x onerror=alert(1)>"
    made = outcome(judged("NET-02", "FAIL", (bad, bad), reason=bad, remedy=bad, unread=((bad, bad, bad),)))
    assert "<img" not in page(made.rows[1], made)
    assert "&lt;img" in page(made.rows[1], made)
