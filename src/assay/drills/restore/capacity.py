"""The restore-rate model T(V) = a + V/B: how large the data may grow before the time objective is broken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scipy import stats

from assay.drills.restore.result import BUDGETS, Restore
from assay.errors import AssumptionError


SIZES_MIN, SPAN_MIN, EXTRAPOLATION_MAX = 4, 8.0, 4.0
CONFIDENCE = 0.95
SIZE_MAX_BYTES = 1 << 60


@dataclass(frozen=True, slots=True)
class RestoreSample:
    """One measured restore: bytes of data, seconds."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RestoreRate:
    """A fitted model: `seconds(V) = start + V / speed`, with what its uncertainty needs.

    `speed` is in bytes a second; infinite where time did not grow with size. `largest` is the largest size
    measured.
    """

    start: float
    slope: float
    spread: float
    centre: float
    width: float
    count: int
    largest: int

    @property
    def speed(self) -> float:
        """Return B, bytes a second."""
        return 1 / self.slope if self.slope > 0 else math.inf

    def expected(self, size: float) -> float:
        """Return the expected seconds for `size` bytes."""
        return self.start + size * self.slope

    def upper(self, size: float) -> float:
        """Return the 95 % upper prediction bound for one restore of `size` bytes, in seconds."""
        factor = float(stats.t.ppf(CONFIDENCE, self.count - 2))
        around = math.sqrt(1 + 1 / self.count + (size - self.centre) ** 2 / self.width)
        return self.expected(size) + factor * self.spread * around

    def v_max(self, seconds: float) -> int:
        """Return the largest size whose upper bound is within `seconds`, in bytes; 0 if none is."""
        if self.upper(0) > seconds and self.upper(self.centre) > seconds:
            return 0
        low, high = (0, SIZE_MAX_BYTES) if self.upper(0) <= seconds else (int(self.centre), SIZE_MAX_BYTES)
        if self.upper(high) <= seconds:
            return high
        while high - low > max(1, low // 10_000):
            middle = (low + high) // 2
            low, high = (middle, high) if self.upper(middle) <= seconds else (low, middle)
        return low

    def verdict(self, size: float) -> str:
        """Return `measured`, or `extrapolated` where `size` is above four times the largest measured one."""
        return "extrapolated" if size > EXTRAPOLATION_MAX * self.largest else "measured"


def fit(samples: Sequence[RestoreSample]) -> RestoreRate:
    """Return the model of these samples, by least squares.

    Raises:
        AssumptionError: fewer than four sizes, spanning less than 8 x, or a value not above 0.
    """
    _check(samples)
    sizes = [float(one.size) for one in samples]
    times = [one.seconds for one in samples]
    centre = sum(sizes) / len(sizes)
    width = sum((size - centre) ** 2 for size in sizes)
    found = stats.linregress(sizes, times)
    start, slope = float(found.intercept), float(found.slope)
    rest = sum((t - start - slope * v) ** 2 for v, t in zip(sizes, times, strict=True))
    spread = math.sqrt(rest / (len(sizes) - 2))
    return RestoreRate(start, slope, spread, centre, width, len(sizes), max(one.size for one in samples))


def _check(samples: Sequence[RestoreSample]) -> None:
    for one in samples:
        if one.size <= 0 or not (math.isfinite(one.seconds) and one.seconds > 0):
            raise AssumptionError(f"a restore of {one.size} bytes in {one.seconds} s", "measure again")
    distinct = sorted({one.size for one in samples})
    distinguishable = [b for a, b in pairwise([0.0, *distinct]) if b > a * 1.1]
    if len(distinguishable) < SIZES_MIN:
        raise AssumptionError(
            f"{len(distinguishable)} sizes were restored, not {SIZES_MIN}", "restore more sizes"
        )
    if distinct[-1] < SPAN_MIN * distinct[0]:
        raise AssumptionError(
            f"the largest size is {distinct[-1] / distinct[0]:.1f} x the smallest, not {SPAN_MIN:.0f} x",
            "restore a larger one",
        )


def capacity_statement(restores: Sequence[Restore], seconds: float) -> str:
    """Return in words how large the data may grow by these restores of one service, or why that is unknown.

    `seconds` is the objective; the declared budgets are taken off it, for they do not grow with the data.
    """
    if not restores:
        return "unknown: nothing was restored"
    budget = sum(restores[-1].parts.get(name, 0.0) for name in BUDGETS)
    try:
        rate = fit([RestoreSample(one.data_bytes, one.measured) for one in restores])
    except AssumptionError as why:
        return f"unknown: {why.message}"
    return (
        f"{rate.v_max(seconds - budget) / 1e9:.3g} GB by {rate.count} restores of up to "
        f"{rate.largest / 1e6:.3g} MB (95 % bound, extrapolated beyond {EXTRAPOLATION_MAX:.0f} x that)"
    )
