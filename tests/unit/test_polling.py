"""Waiting: the first true answer, or the last one when time is up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import polling
from assay.polling import poll


class FakeTime:
    """A clock that runs only while somebody sleeps."""

    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.at += max(seconds, 1e-6)


@pytest.mark.parametrize(("true_at", "timeout_s", "expected"), [
    (0, 10, 0), (3, 10, 3), (10, 10, 10), (10.2, 10, None), (0, 0, 0), (1, 0, None),
])  # fmt: skip
def test_the_first_true_answer_counts(
    monkeypatch: pytest.MonkeyPatch, true_at: float, timeout_s: float, expected: float | None
) -> None:
    clock = FakeTime()
    monkeypatch.setattr(polling, "time", clock)
    begun = clock.at
    found = poll(lambda: clock.at - begun >= true_at and [clock.at - begun], timeout_s, 1.0)
    assert found == ([pytest.approx(expected)] if expected is not None else False)


@given(st.floats(0, 100), st.floats(0.01, 10))
def test_it_ends_in_time_and_asks_at_least_once(timeout_s: float, every_s: float) -> None:
    clock, asked = FakeTime(), list[float]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polling, "time", clock)
        assert poll(lambda: asked.append(clock.at), timeout_s, every_s) is None
    assert asked
    assert clock.at <= 100.0 + timeout_s + 1e-3


def test_what_an_observation_raises_ends_the_waiting() -> None:
    with pytest.raises(KeyError):
        poll(lambda: {}["missing"], 10)
