"""A load plan with several paths: written without secrets, read back, each path judged by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.errors import ProbeError
from assay.load.plan import Generator, LoadPlan, LoadSample, Run, due_times, read_plan
from assay.load.verdict import judge_load
from assay.model import Verdict


PATHS = ("/fast", "/fast-too", "/slow")
PLAN = LoadPlan("https://api.example", PATHS, "", "", 20.0, 30, 4500, 1, headers="/srv/headers")


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    PLAN.write(tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == PLAN


@pytest.mark.parametrize("paths", [[], ["items"], [1], None])
def test_a_plan_without_a_path_is_refused(tmp_path: Path, paths: object) -> None:
    PLAN.write(tmp_path / "whole.json")
    known = json.loads((tmp_path / "whole.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**known, "paths": paths}))
    with pytest.raises(ProbeError):
        read_plan(tmp_path / "plan.json")


def test_arrivals_ask_for_the_paths_in_turn() -> None:
    assert [PLAN.path_of(seq) for seq in range(4)] == ["/fast", "/fast-too", "/slow", "/fast"]


def recorded(slow_every: int) -> Run:
    """Return a run in which every n-th request for the last path takes half a second."""
    samples = []
    for seq, due in enumerate(due_times(PLAN)):
        slow = PLAN.path_of(seq) == "/slow" and (seq // len(PATHS)) % slow_every == 0
        samples.append(LoadSample(seq, due, due, due + (0.5 if slow else 0.02), 200, True, "", False))
    return Run(PLAN, tuple(samples), Generator(PLAN.arrivals, 0.1, 0.1, (0.001,) * 30))


def test_a_slow_path_does_not_hide_among_fast_ones() -> None:
    run = recorded(slow_every=10)
    assert judge_load(run, 0.2, 0.05).verdict is Verdict.PASS
    assert judge_load(run.of("/slow"), 0.2, 0.05).verdict is Verdict.FAIL
    assert judge_load(run.of("/fast"), 0.2, 0.05).verdict is Verdict.PASS
    assert {len(run.of(path).judged) for path in PATHS} == {1500}
