"""The judgement of one restore, the rate model, and the file of records."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.drills.restore.capacity import RestoreSample, fit
from assay.drills.restore.records import Records
from assay.drills.restore.result import MEASURED, PARTS, Budgets, Restore, Stopwatch, restore_faults
from assay.errors import AssumptionError, ProbeError


BUDGETS = Budgets(120, 600)


class Ticks:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def good() -> Restore:
    ticks = Ticks()
    watch = Stopwatch(BUDGETS, 100.0, ticks)
    for seconds, part in zip((3.0, 1.0, 20.0, 0.0, 30.0, 5.0), MEASURED, strict=True):
        ticks.at += seconds
        watch.lap(part)
    return watch.finish("etcd", 1 << 20, 60.0, 4, True, "L3")


def test_a_whole_restore_has_no_fault() -> None:
    restore = good()
    assert not restore_faults(restore, 1800, 900, restore.t0)
    assert restore.seconds == pytest.approx(120 + 600 + 59)
    assert restore.measured == pytest.approx(59)
    assert restore.point == pytest.approx(restore.t0 - 60)
    assert tuple(restore.parts) == PARTS


@pytest.mark.parametrize(("change", "says"), [
    ({"verified": False}, "not verified"),
    ({"level": ""}, "loss level"),
    ({"data_bytes": 0}, "no data"),
    ({"rpo_seconds": 1000.0}, "1000 s old"),
    ({"rpo_seconds": float("nan")}, "younger than the fault"),
    ({"rpo_seconds": -1.0}, "younger than the fault"),
    ({"ended": 0.0}, "account for"),
    ({"parts": {}}, "missing"),
])  # fmt: skip
def test_each_fault_is_seen(change: dict[str, object], says: str) -> None:
    restore = dataclasses.replace(good(), **change)  # type: ignore[arg-type]
    assert any(says in why for why in restore_faults(restore, 1800, 900, restore.t0))


def test_a_clock_started_at_the_restore_command_is_seen() -> None:
    restore = good()
    assert any(
        "clock started 300 s after" in why for why in restore_faults(restore, 1800, 900, restore.t0 - 300)
    )


@pytest.mark.parametrize("name", ["detect", "decide", "restore", "verify"])
def test_no_part_that_takes_time_counts_as_nothing(name: str) -> None:
    restore = good()
    parts = {**restore.parts, name: 0.0}
    restore = dataclasses.replace(restore, parts=parts, ended=restore.t0 + sum(parts[n] for n in MEASURED))
    assert restore_faults(restore, 1800, 900) == [f"{name} is counted as nothing"]


def test_the_budgets_count() -> None:
    assert restore_faults(good(), 700, 900) == ["took 779 s, not 700 s"]


def test_no_objective_is_a_fault() -> None:
    assert restore_faults(good(), 1800, None) == ["no recovery point objective is declared"]


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_nobody_reacts_in_no_time(value: float) -> None:
    with pytest.raises(AssumptionError):
        Budgets(value, 600)


def test_a_fault_in_the_future_is_refused() -> None:
    with pytest.raises(AssumptionError):
        Stopwatch(BUDGETS, 101.0, Ticks())


@given(st.lists(st.tuples(st.sampled_from(MEASURED), st.floats(0, 1e4)), max_size=30))
def test_laps_account_for_all_the_time(laps: list[tuple[str, float]]) -> None:
    ticks = Ticks()
    watch = Stopwatch(BUDGETS, 100.0, ticks)
    for part, seconds in laps:
        ticks.at += seconds
        watch.lap(part)
    restore = watch.finish("etcd", 1, 0, 0, True, "L3")
    assert restore.measured == pytest.approx(ticks.at - 100.0, abs=1e-6)
    assert not any("account for" in why for why in restore_faults(restore, 1e9, 0))


# the rate ---------------------------------------------------------------------------------------------


def line(start: float, speed: float) -> list[RestoreSample]:
    sizes = [10**7, 2 * 10**7, 4 * 10**7, 10**8]
    return [RestoreSample(v, start + v / speed + (n % 2) * 0.1) for v in sizes for n in range(3)]


def test_the_model_finds_start_and_speed() -> None:
    rate = fit(line(5, 10**7))
    assert rate.start == pytest.approx(5, abs=0.2)
    assert rate.speed == pytest.approx(10**7, rel=0.02)
    assert rate.upper(10**8) > rate.expected(10**8)


def test_v_max_is_the_largest_size_whose_upper_bound_fits() -> None:
    rate = fit(line(5, 10**7))
    size = rate.v_max(1800 - 720)
    assert rate.upper(size) <= 1080 < rate.upper(size * 1.01)
    assert size < 1080 * 10**7
    assert rate.v_max(1.0) == 0


def test_far_beyond_the_measured_sizes_is_extrapolated() -> None:
    rate = fit(line(5, 10**7))
    assert rate.verdict(4 * 10**8) == "measured"
    assert rate.verdict(4 * 10**8 + 1) == "extrapolated"


@pytest.mark.parametrize("samples", [
    [],
    [RestoreSample(10, 1.0)] * 12,
    [RestoreSample(v, 1.0) for v in (100, 200, 300, 400)],
    [RestoreSample(v, 1.0) for v in (100, 200, 900)],
    [RestoreSample(v, float("nan")) for v in (100, 200, 400, 900)],
    [RestoreSample(v, 1.0) for v in (0, 200, 400, 900)],
])  # fmt: skip
def test_too_little_is_no_model(samples: list[RestoreSample]) -> None:
    with pytest.raises(AssumptionError):
        fit(samples)


@given(st.floats(0.1, 100), st.floats(1e5, 1e9))
def test_v_max_never_breaks_its_own_bound(start: float, speed: float) -> None:
    rate = fit(line(start, speed))
    size = rate.v_max(1080)
    assert size == 0 or rate.upper(size) <= 1080


# the records ------------------------------------------------------------------------------------------


def test_records_are_read_back(tmp_path: Path) -> None:
    records, restore = Records(tmp_path / "r" / "lab.jsonl", "uid"), good()
    assert records.all() == []
    records.add(restore)
    later = dataclasses.replace(restore, ended=restore.ended + 5, verified=False)
    records.add(later)
    records.add(dataclasses.replace(restore, service="vault"))
    newest = records.newest()
    assert set(newest) == {"etcd", "vault"}
    assert newest["etcd"].restore == later
    assert newest["etcd"].age(later.ended + 10) == pytest.approx(10)


def test_a_record_of_another_cluster_proves_nothing(tmp_path: Path) -> None:
    Records(tmp_path / "lab.jsonl", "other").add(good())
    assert Records(tmp_path / "lab.jsonl", "uid").all() == []


def test_a_record_mended_by_hand_is_refused(tmp_path: Path) -> None:
    records = Records(tmp_path / "lab.jsonl", "uid")
    records.add(dataclasses.replace(good(), verified=False))
    records.path.write_bytes(records.path.read_bytes().replace(b"false", b"true"))
    with pytest.raises(ProbeError, match="damaged"):
        records.all()


@given(st.binary(max_size=300))
def test_bad_records_end_in_one_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("records") / "lab.jsonl"
    path.write_bytes(raw)
    with suppress(ProbeError):
        Records(path, "uid").all()
