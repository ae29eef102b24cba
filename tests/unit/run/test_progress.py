"""How far a run is, and how long it still takes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from assay.run.entries import Judgement
from assay.run.progress import LATER, Duration, Progress, earlier, expected_seconds


def judgement(test: str, violation: str = "") -> Judgement:
    control, tier = test.split()
    return Judgement(control, "", "Infra", tier, test, "PASS", seconds=4.2, violation=violation)


def test_a_line_says_what_came_of_a_case_and_what_is_left() -> None:
    known = {
        "A-01 static": Duration("static", 2.0),
        "B-01 live": Duration("live", 6.0),
        "C-01 drill": Duration("drill", 192.0),
    }
    progress = Progress(known, list(known), later=60.0)
    assert progress.line(judgement("A-01 static")) == "[1/3] A-01 static: PASS, 4 s; about 4 min left"
    assert (
        progress.line(judgement("C-01 drill", "slow")) == "[2/3] C-01 drill slow: PASS, 4 s; about 66 s left"
    )
    assert progress.line(judgement("B-01 live")).endswith("; about 60 s left")


def test_two_processes_take_half_as_long_but_never_less_than_the_longest() -> None:
    known = {f"{name}-01 live": Duration("live", 30.0) for name in "ABCDE"}
    assert Progress(known, list(known), workers=2).line(judgement("A-01 live")).endswith("about 60 s left")
    assert (
        Progress(known, list(known)[:2], workers=2).line(judgement("A-01 live")).endswith("about 30 s left")
    )


def test_what_never_ran_is_not_guessed() -> None:
    progress = Progress({}, ["A-01 live", "B-01 live"])
    assert progress.line(judgement("A-01 live")).endswith("; 1 to come for the first time")


def test_the_newest_run_that_has_a_case_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, (name, lines) in enumerate(
        {"new": [("a", 3.0)], "old": [("a", 9.0), ("b", 1.5)], "bad": "no json"}.items()
    ):
        path = tmp_path / f"{name}.jsonl"
        text = (
            [json.dumps({"test": t, "tier": "live", "seconds": s}) for t, s in lines] if age < 2 else [lines]
        )
        path.write_text("\n".join(map(str, text)))
        os.utime(path, (1e9 - age, 1e9 - age))
    found = earlier(tmp_path)
    assert found == {"a": Duration("live", 3.0), "b": Duration("live", 1.5)}
    assert expected_seconds(found, {"live"}, workers=2) == 2.25
    assert expected_seconds(found, {"drill"}) == 0
    monkeypatch.setenv(LATER, "12.5")
    assert Progress({}, ()).later == 12.5
