"""Ids of runs."""

from __future__ import annotations

import datetime

import pytest

from assay.run import options


def test_ids_of_runs_within_one_second_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest file is the newest run: two runs of one second were once told apart by chance."""
    moments = [datetime.datetime(2026, 11, 28, 19, 0, 0, 1000 * ms, datetime.UTC) for ms in (9, 10, 999)]
    ids = []
    for moment in moments:
        monkeypatch.setattr(options, "utc_now", lambda moment=moment: moment)
        ids.append(options.new_run())
    assert ids == sorted(ids)
    assert ids[0].startswith("20261128t190000009z-")
