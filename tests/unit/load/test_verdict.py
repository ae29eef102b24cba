"""The load verdict: known bounds, records read strictly, stalls and generator faults judged rightly."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssumptionError, ProbeError
from assay.load.plan import Generator, LoadPlan, LoadSample, Run, due_times, read_plan, read_run
from assay.load.verdict import (
    allowed,
    autocorrelation,
    blocks,
    clopper_pearson,
    generator_fault,
    invalid,
    johnson,
    judge_load,
    quantile,
    require_decided,
)
from assay.model import Verdict


LIMIT, SHARE = 0.2, 0.05
CALM = Generator(arrivals=0, gap=0.11, busiest=0.2, echo=(0.001,) * 30)
PLAN = LoadPlan("https://api.test.example", ("/items",), "api.test.example", "", 20.0, 20, 1500, 1)


def made(latency: list[float], plan: LoadPlan = PLAN, generator: Generator = CALM, lag: float = 0.001) -> Run:
    """Return a run whose arrivals took `latency`; infinite means unanswered."""
    samples = [
        LoadSample(
            i,
            due,
            due + lag,
            due + took if took < 1e9 else None,
            200 if took < 1e9 else 0,
            took < 1e9,
            "",
            False,
        )
        for i, (due, took) in enumerate(zip(due_times(plan), latency, strict=True))
    ]
    return Run(plan, tuple(samples), replace(generator, arrivals=plan.arrivals))


def spread(count: int, slow: float = 0.25, n: int = PLAN.judged) -> list[float]:
    """Return a warm-up of fast arrivals, then n of which `count`, at random places, took `slow`."""
    places = set(random.Random(3).sample(range(n), count))
    return [0.02] * PLAN.warm + [slow if i in places else 0.02 for i in range(n)]


@pytest.mark.parametrize(
    ("n", "k"), [(59, 0), (100, 1), (300, 8), (600, 20), (1000, 38), (2000, 83), (5000, 224)]
)
def test_known_numbers_of_allowed_exceedances(n: int, k: int) -> None:
    assert allowed(n) == k


def test_too_few_to_say_anything() -> None:
    assert allowed(58) == -1


def test_zero_of_a_thousand_is_bounded_by_three_in_a_thousand() -> None:
    assert clopper_pearson(0, 1000).upper == pytest.approx(0.002991, abs=1e-5)


@given(st.integers(1, 3000), st.data())
def test_bounds_enclose_the_share(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    bounds = clopper_pearson(k, n)
    assert 0 <= bounds.lower <= k / n <= bounds.upper <= 1


@given(st.lists(st.floats(0, 1), min_size=30, max_size=60))
def test_johnson_stays_a_share_and_in_order(shares: list[float]) -> None:
    bounds = johnson(shares)
    assert 0 <= bounds.lower <= 1
    assert 0 <= bounds.upper <= 1
    assert bounds.lower <= bounds.upper


def test_johnson_equals_students_t_without_skew() -> None:
    bounds = johnson([0.02, 0.04] * 15)
    assert bounds.upper == pytest.approx(0.03 + 1.699127 * 0.010171 / 30**0.5, abs=1e-5)


def test_autocorrelation_of_bursts_and_of_nothing() -> None:
    assert autocorrelation([0.0] * 30) == 0
    assert autocorrelation([0.0] * 15 + [1.0] * 15) > 0.8


def test_fast_is_a_pass() -> None:
    judgement = judge_load(made(spread(0)), LIMIT, SHARE)
    assert judgement.verdict is Verdict.PASS
    assert judgement.p95.value == pytest.approx(0.02)


def test_three_per_cent_apart_is_a_pass_with_its_bound() -> None:
    judgement = judge_load(made(spread(45)), LIMIT, SHARE)
    assert judgement.passed
    assert judgement.share == pytest.approx(0.03)
    assert 0.03 < max(judgement.independent.upper, judgement.clustered.upper) < 0.05


def test_twelve_per_cent_late_is_a_fail() -> None:
    judgement = judge_load(made(spread(180)), LIMIT, SHARE)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.p95.value == pytest.approx(0.25)


@pytest.mark.parametrize("count", [66, 75, 84])
def test_near_the_limit_is_inconclusive_and_never_a_pass(count: int) -> None:
    judgement = judge_load(made(spread(count)), LIMIT, SHARE)
    assert judgement.verdict is Verdict.ERROR
    assert "inconclusive" in judgement.reason
    with pytest.raises(AssumptionError, match="inconclusive"):
        require_decided(judgement)


def test_exactly_the_limit_counts_against_the_platform() -> None:
    assert judge_load(made([0.02] * PLAN.warm + [0.2] * PLAN.judged), 0.2, SHARE).over >= PLAN.judged * 0.4
    whole = LoadPlan("u", ("/",), "", "", 20.0, 0, 1500, 1)
    samples = tuple(LoadSample(i, float(i), float(i), i + 0.25, 200, True, "", False) for i in range(1500))
    assert judge_load(Run(whole, samples, replace(CALM, arrivals=1500)), 0.25, SHARE).over == 1500


def test_unanswered_arrivals_are_exceedances_and_p95_says_so() -> None:
    judgement = judge_load(made(spread(180, slow=float("inf"))), LIMIT, SHARE)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.undelivered == 180
    assert judgement.p95.value == float("inf")


def test_fast_errors_are_exceedances() -> None:
    run = made(spread(0))
    refused = tuple(
        replace(s, ok=False, status=503, why="status 503") if s.seq % 8 == 0 else s for s in run.samples
    )
    judgement = judge_load(replace(run, samples=refused), LIMIT, SHARE)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.errors > 150


def test_stalls_do_not_pass_where_independent_requests_would() -> None:
    """Two stalls of 1.5 s, 4 % of all: within the binomial allowance, far from certain with clusters."""
    latency = [0.02] * PLAN.arrivals
    for start in (400, 1100):
        latency[start : start + 28] = [0.5] * 28
    judgement = judge_load(made(latency), LIMIT, SHARE)
    assert judgement.independent.upper < SHARE
    assert judgement.verdict is Verdict.ERROR


def test_one_long_stall_leaves_no_usable_blocks() -> None:
    over = [400 <= i < 700 for i in range(1500)]
    assert blocks(over, [i / 20 for i in range(1500)]) is None


def test_false_pass_rate_at_the_limit_is_far_below_the_binomial_one() -> None:
    """Random stalls of 1 s, true share 5 %: both bounds pass rarely, the binomial alone often."""
    source, both, alone, runs = random.Random(5), 0, 0, 150
    for _ in range(runs):
        due = [i / 20 for i in range(1500)]
        stalls = [source.uniform(-1, 75) for _ in range(int(source.gauss(4, 2) + 0.5))]
        over = [any(start <= moment < start + 0.94 for start in stalls) for moment in due]
        binomial = clopper_pearson(sum(over), 1500).upper < SHARE
        found = blocks(over, due)
        alone += binomial
        both += binomial and found is not None and johnson(found.shares).upper < SHARE
    assert alone / runs > 0.3
    assert both / runs < alone / runs / 2


def test_our_own_lateness_is_no_failure_of_the_platform() -> None:
    run = made(spread(0))
    late = tuple(
        replace(s, sent=s.due + 0.3, done=s.due + 0.32) if s.seq % 8 == 0 else s for s in run.samples
    )
    judgement = judge_load(replace(run, samples=late), LIMIT, SHARE)
    assert judgement.verdict is Verdict.ERROR
    assert "late" in judgement.reason


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        (replace(CALM, busiest=0.9), "90% of a core"),
        (replace(CALM, echo=(0.05,) * 30), "loopback"),
        (replace(CALM, echo=()), "loopback"),
    ],
)
def test_a_busy_generator_cannot_blame_the_platform(generator: Generator, words: str) -> None:
    run = made(spread(180), generator=generator)
    assert words in generator_fault(run, LIMIT)
    assert judge_load(run, LIMIT, SHARE).verdict is Verdict.ERROR


def test_a_busy_generator_may_still_pass_the_platform() -> None:
    assert judge_load(made(spread(0), generator=replace(CALM, busiest=0.9)), LIMIT, SHARE).passed


def test_a_generator_that_stood_still_says_nothing() -> None:
    assert "stood still" in invalid(made(spread(0), generator=replace(CALM, gap=3.0)))
    assert (
        judge_load(made(spread(0), generator=replace(CALM, gap=3.0)), LIMIT, SHARE).verdict is Verdict.ERROR
    )


def test_nothing_answered_is_an_error_not_a_fail() -> None:
    judgement = judge_load(made([float("inf")] * PLAN.arrivals), LIMIT, SHARE)
    assert judgement.verdict is Verdict.ERROR
    assert "not one of" in judgement.reason


def test_certificate_and_cache_spoil_the_run() -> None:
    run = made(spread(0))
    tls = replace(run.samples[700], ok=False, status=0, why="tls", done=None)
    assert "certificate" in invalid(replace(run, samples=(*run.samples[:700], tls, *run.samples[701:])))
    hit = replace(run.samples[700], cached=True)
    assert "cache" in invalid(replace(run, samples=(*run.samples[:700], hit, *run.samples[701:])))


@given(st.lists(st.floats(0, 10), min_size=20, max_size=300))
def test_quantile_lies_in_its_interval(values: list[float]) -> None:
    found = quantile(values)
    assert found.low <= found.value <= found.high
    assert found.value in values


def test_due_times_depend_on_the_seed_alone_and_keep_the_rate() -> None:
    moments = due_times(PLAN)
    assert moments == due_times(PLAN)
    assert moments != due_times(replace(PLAN, seed=2))
    assert moments == sorted(moments)
    assert PLAN.arrivals / moments[-1] == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize(
    ("rate", "judged", "deadline"),
    [
        (0.0, 1500, 10.0),
        (-1.0, 1500, 10.0),
        (20.0, 0, 10.0),
        (20.0, 1500, 0.0),
        (20.0, 10**7, 10.0),
        (0.001, 9, 1.0),
    ],
)
def test_a_plan_without_bounds_is_refused(rate: float, judged: int, deadline: float) -> None:
    with pytest.raises(ProbeError):
        replace(PLAN, rate=rate, judged=judged, deadline=deadline)


def record(path: Path, run: Run) -> list[dict[str, object]]:
    """Write `run` as the generator would and return the lines."""
    keys = ("seq", "due", "sent", "done", "status", "ok", "why", "cached")
    lines: list[dict[str, object]] = [{key: getattr(s, key) for key in keys} for s in run.samples]
    last = run.generator
    lines.append(
        {
            "end": True,
            "arrivals": last.arrivals,
            "gap": last.gap,
            "busiest": last.busiest,
            "echo": list(last.echo),
        }
    )
    rewrite(path, lines)
    return lines


def rewrite(path: Path, lines: list[dict[str, object]]) -> None:
    """Write `lines` to the record."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


SHORT = replace(PLAN, warm=2, judged=20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a record may be written."""
    return tmp_path / "requests.jsonl"


def test_plan_and_record_come_back_as_written(path: Path) -> None:
    SHORT.write(path.with_suffix(".plan"))
    assert read_plan(path.with_suffix(".plan")) == SHORT
    run = made([0.02] * SHORT.arrivals, SHORT)
    record(path, run)
    assert read_run(SHORT, path) == run


def broken(lines: list[dict[str, object]], how: str) -> list[dict[str, object]]:
    """Return the lines of a record with one thing wrong."""
    first, last = lines[0], lines[-1]
    ways: dict[str, list[dict[str, object]]] = {
        "cut short": lines[:-1],
        "one lost": [*lines[:5], *lines[6:]],
        "one doubled": [lines[3], *lines],
        "another due": [{**first, "due": 0.0, "sent": 0.0}, *lines[1:]],
        "ends before it begins": [{**first, "done": -5.0}, *lines[1:]],
        "good without an answer": [{**first, "done": None}, *lines[1:]],
        "status as text": [{**first, "status": "200"}, *lines[1:]],
        "one key more": [{**first, "extra": 1}, *lines[1:]],
        "summary without echo": [*lines[:-1], {"end": True, "arrivals": 22, "gap": 0, "busiest": 0}],
        "after the end": [*lines, last],
        "nothing": [],
    }
    return ways[how]


@pytest.mark.parametrize(
    "how",
    [
        "cut short", "one lost", "one doubled", "another due", "ends before it begins",
        "good without an answer",
        "status as text", "one key more", "summary without echo", "after the end", "nothing",
    ],
)  # fmt: skip
def test_a_record_that_is_not_whole_is_refused(path: Path, how: str) -> None:
    rewrite(path, broken(record(path, made([0.02] * SHORT.arrivals, SHORT)), how))
    with pytest.raises(ProbeError):
        read_run(SHORT, path)


@given(text=st.text(max_size=60))
def test_any_text_is_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text(text, encoding="utf-8", errors="replace")
    for read in (lambda: read_run(SHORT, path), lambda: read_plan(path)):
        with pytest.raises(ProbeError) as error:
            read()
        assert "\n" not in error.value.message


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=5), x),
        max_leaves=5,
    )
)
def test_any_json_is_refused(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(value) + "\n")
    for read in (lambda: read_run(SHORT, path), lambda: read_plan(path)):
        with pytest.raises(ProbeError):
            read()
