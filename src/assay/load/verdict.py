"""From raw request records to a verdict on "P95 below the limit". Pure functions; why: loadtests/README.md.

The claim is read as a proportion: fewer than `share` of all arrivals take `limit` seconds or longer, counted
from the moment they were due. Errors, lost and unanswered arrivals are exceedances. A number alone is no
verdict: PASS needs both upper bounds below the share, FAIL needs both lower bounds above it, what lies
between is inconclusive, and a run that the generator itself spoiled is invalid.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scipy.special import betaincinv, stdtrit

from assay.errors import AssumptionError
from assay.load.plan import LoadSample, Run
from assay.model import Verdict


CONFIDENCE = 0.95
MIN_BLOCKS = 30
MIN_IN_BLOCK = 20
MAX_AUTOCORRELATION = 0.3
MAX_FLIPS = 0.0025
MAX_LAG_P99 = 0.050
MAX_CPU = 0.70
MAX_GAP = 1.0
MAX_ECHO_P95 = 0.020


@dataclass(frozen=True, slots=True)
class Bounds:
    """One-sided 95 % bounds on a share, as ratios."""

    lower: float
    upper: float

    def __str__(self) -> str:
        """Return both in percent."""
        return f"{self.lower:.2%} to {self.upper:.2%}, each 95 % sure"


@dataclass(frozen=True, slots=True)
class Blocks:
    """Exceedance shares of equal time blocks, and their lag-1 autocorrelation."""

    shares: tuple[float, ...]
    autocorrelation: float


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile in seconds with its 95 % interval; infinite where unanswered requests reach that far."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LoadVerdict:
    """The verdict on a run and what it rests on; `reason` tells an invalid ERROR from an inconclusive one."""

    verdict: Verdict
    reason: str
    n: int
    over: int
    share: float
    independent: Bounds
    clustered: Bounds
    p95: Quantile
    autocorrelation: float
    blocks: int
    undelivered: int
    errors: int
    flips: int
    lag_p99: float

    @property
    def passed(self) -> bool:
        """Return True for PASS alone."""
        return self.verdict is Verdict.PASS

    def facts(self) -> dict[str, str]:
        """Return what belongs in the evidence, in words: bounds, P95, and how sound the run was."""
        p95, lag = self.p95, self.lag_p99 * 1000
        return {
            "over the limit": f"{self.over} of {self.n}, {self.share:.2%}",
            "bounds, requests independent": str(self.independent),
            "bounds, requests clustered": str(self.clustered),
            "P95": f"{p95.value * 1000:.0f} ms, interval {p95.low * 1000:.0f} to {p95.high * 1000:.0f} ms",
            "blocks": f"{self.blocks}, autocorrelation {self.autocorrelation:.2f}",
            "unanswered, errors": f"{self.undelivered}, {self.errors}",
            "generator": f"99 % sent within {lag:.1f} ms of due; {self.flips} late by its own fault",
            "judgement": f"{self.verdict}: {self.reason}",
        }


def clopper_pearson(over: int, n: int, confidence: float = CONFIDENCE) -> Bounds:
    """Return the exact one-sided bounds on a share after `over` of `n` independent draws."""
    if not 0 <= over <= n or n < 1:
        raise ValueError(f"{over} of {n}")
    upper = 1.0 if over == n else float(betaincinv(over + 1, n - over, confidence))
    lower = 0.0 if over == 0 else float(betaincinv(over, n - over + 1, 1 - confidence))
    return Bounds(lower, upper)


def allowed(n: int, share: float = 0.05) -> int:
    """Return how many of `n` may exceed with the exact upper bound below `share`; -1 if not even none."""
    over = -1
    while over + 1 <= n and clopper_pearson(over + 1, n).upper < share:
        over += 1
    return over


def johnson(shares: Sequence[float], confidence: float = CONFIDENCE) -> Bounds:
    """Return one-sided bounds on the mean of block shares by Johnson's t, which corrects for skewness.

    Independent requests are too kind an assumption: a stall exceeds in clusters. Blocks longer than a stall
    are nearly independent.
    """
    count = len(shares)
    mean, spread = statistics.fmean(shares), statistics.stdev(shares)
    if spread < 1e-9:
        return Bounds(mean, mean)
    around = [share - mean for share in shares]
    skew = statistics.fmean([x**3 for x in around]) / statistics.fmean([x**2 for x in around]) ** 1.5
    t = float(stdtrit(count - 1, confidence))
    error, bend = spread / math.sqrt(count), skew * (1 + 2 * t * t) / (6 * math.sqrt(count))
    return Bounds(max(0.0, mean + error * (bend - t)), min(1.0, mean + error * (bend + t)))


def autocorrelation(values: Sequence[float]) -> float:
    """Return the lag-1 autocorrelation of `values`, 0 where they do not vary."""
    mean = statistics.fmean(values)
    around = [value - mean for value in values]
    total = sum(x * x for x in around)
    return 0.0 if total == 0 else sum(a * b for a, b in pairwise(around)) / total


def block_shares(over: Sequence[bool], due: Sequence[float], count: int) -> tuple[float, ...]:
    """Return the share of exceedances in each of `count` equal time blocks; empty blocks are left out."""
    first, length = due[0], (due[-1] - due[0]) / count or 1.0
    sums, sizes = [0] * count, [0] * count
    for exceeded, moment in zip(over, due, strict=True):
        index = min(int((moment - first) / length), count - 1)
        sums[index] += exceeded
        sizes[index] += 1
    return tuple(total / size for total, size in zip(sums, sizes, strict=True) if size)


def blocks(over: Sequence[bool], due: Sequence[float]) -> Blocks | None:
    """Return the finest blocks whose neighbours are not too alike; None if fewer than 30 would be left.

    Starts with 60 blocks, or blocks of 20 arrivals, and doubles their length while the autocorrelation is
    above 0.3.
    """
    count = min(len(over) // MIN_IN_BLOCK, 2 * MIN_BLOCKS)
    while count >= MIN_BLOCKS:
        shares = block_shares(over, due, count)
        alike = autocorrelation(shares)
        if alike <= MAX_AUTOCORRELATION:
            return Blocks(shares, alike)
        count //= 2
    return None


def quantile(values: Sequence[float], p: float = 0.95) -> Quantile:
    """Return the `p` quantile of `values` with a distribution-free interval from order statistics.

    Requests are taken as independent: good enough for a report, never judged.
    """
    ordered, n = sorted(values), len(values)
    half = 1.959964 * math.sqrt(n * p * (1 - p))

    def at(rank: float) -> float:
        return ordered[min(max(math.ceil(rank), 1), n) - 1]

    return Quantile(at(n * p), at(n * p - half), at(n * p + half + 1))


def invalid(run: Run) -> str:
    """Return why nothing at all can be said from this run, or an empty string.

    Lost arrivals are refused when the record is read (assay.load.plan.read_run).
    """
    judged = run.judged
    if not any(sample.status for sample in judged):
        return f"not one of {len(judged)} requests was answered: {judged[0].why}"
    if any(sample.why == "tls" for sample in judged):
        return "the server's certificate was not accepted"
    if any(sample.cached for sample in judged):
        return "replies came from a cache, not from the API"
    if run.generator.arrivals != run.plan.arrivals:
        return f"the generator made {run.generator.arrivals} arrivals, {run.plan.arrivals} were planned"
    if run.generator.gap > MAX_GAP:
        return f"the load generator stood still for {run.generator.gap:.1f} s"
    return ""


def generator_fault(run: Run, limit: float) -> str:
    """Return why exceedances may be the generator's own doing, or an empty string.

    Lag only makes latencies longer, so this never spoils a PASS.
    """
    judged, echo = run.judged, run.generator.echo
    flips = _flips(judged, limit)
    if flips > MAX_FLIPS * len(judged):
        return f"{flips} of {len(judged)} requests are over the limit only because they were sent late"
    if (lag := _lag_p99(judged)) > MAX_LAG_P99:
        return f"the generator sent late: 99 % within {lag * 1000:.0f} ms"
    if run.generator.busiest > MAX_CPU:
        return f"the generator used {run.generator.busiest:.0%} of a core in one second"
    if not echo or quantile(echo).value > MAX_ECHO_P95:
        return "the generator's own loopback probe was slow"
    return ""


def _flips(judged: Sequence[LoadSample], limit: float) -> int:
    answered = [(s, s.done - s.sent) for s in judged if s.ok and s.sent is not None and s.done is not None]
    return sum(1 for sample, from_sent in answered if from_sent < limit <= sample.latency)


def _lag_p99(judged: Sequence[LoadSample]) -> float:
    return quantile([sample.lag for sample in judged], 0.99).value


def _verdict(
    run: Run, limit: float, share: float, independent: Bounds, clustered: Bounds | None
) -> tuple[Verdict, str]:
    if why := invalid(run):
        return Verdict.ERROR, f"invalid run: {why}"
    if clustered is None:
        return Verdict.ERROR, "inconclusive: exceedances come in bursts too long for this run; run longer"
    lowest, top = min(independent.lower, clustered.lower), max(independent.upper, clustered.upper)
    if top < share:
        return Verdict.PASS, f"at most {top:.2%} over the limit (95 % sure)"
    if lowest > share:
        if why := generator_fault(run, limit):
            return Verdict.ERROR, f"invalid run: {why}"
        return Verdict.FAIL, f"at least {lowest:.2%} over the limit (95 % sure)"
    return (
        Verdict.ERROR,
        f"inconclusive: {lowest:.2%} to {top:.2%} over the limit, {share:.0%} lies inside; run longer",
    )


def judge_load(run: Run, limit: float, share: float) -> LoadVerdict:
    """Return the judgement that fewer than `share` of the arrivals take `limit` seconds or longer."""
    judged = run.judged
    latencies = [sample.latency for sample in judged]
    over = [latency >= limit for latency in latencies]
    n, count = len(over), sum(over)
    independent = clopper_pearson(count, n)
    found = blocks(over, [sample.due for sample in judged])
    clustered = johnson(found.shares) if found else None
    verdict, reason = _verdict(run, limit, share, independent, clustered)
    return LoadVerdict(
        verdict=verdict,
        reason=reason,
        n=n,
        over=count,
        share=count / n,
        independent=independent,
        clustered=clustered or Bounds(0.0, 1.0),
        p95=quantile(latencies),
        autocorrelation=found.autocorrelation if found else float("nan"),
        blocks=len(found.shares) if found else 0,
        undelivered=sum(1 for sample in judged if sample.done is None),
        errors=sum(1 for sample in judged if sample.done is not None and not sample.ok),
        flips=_flips(judged, limit),
        lag_p99=_lag_p99(judged),
    )


def require_decided(judgement: LoadVerdict) -> LoadVerdict:
    """Return the judgement if it is PASS or FAIL.

    Raises:
        AssumptionError: the run was invalid or inconclusive, which is never a pass.
    """
    if judgement.verdict is Verdict.ERROR:
        raise AssumptionError(
            judgement.reason, "see the run's record; repeat it on a quieter generator or for longer"
        )
    return judgement
