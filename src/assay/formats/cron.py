"""Cron schedules as CronJobs write them: the longest time from one firing to the next."""

from __future__ import annotations

import datetime as dt
import re
from itertools import pairwise

from assay.errors import ProbeError


MACROS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "weekday": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
PART = re.compile(r"(\*|\?|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([0-9]+))?")
FIRST = dt.date(2027, 1, 1)
DAYS = 366 * 5
MINUTE, DAY = 60, 86400


def longest_gap(schedule: str) -> float:
    """Return the longest time between two firings of `schedule`, in seconds, over five years.

    Raises:
        ProbeError: no cron schedule, or one that does not fire twice in five years.
    """
    fields = _fields(schedule)
    times = sorted(h * 3600 + m * MINUTE for h in fields["hour"] for m in fields["minute"])
    days = [n for n in range(DAYS) if _fires(FIRST + dt.timedelta(days=n), fields, schedule)]
    if not days or (len(days) == 1 and len(times) == 1):
        raise ProbeError(f"schedule {schedule!r} does not fire twice in five years", "fix the schedule")
    within = [float(b - a) for a, b in pairwise(times)]
    over = [float((b - a) * DAY - times[-1] + times[0]) for a, b in pairwise(days)]
    return max(within + over)


def _fields(schedule: str) -> dict[str, set[int]]:
    words = MACROS.get(schedule.strip().lower(), schedule).lower().split()
    if len(words) != len(FIELDS):
        raise ProbeError(f"schedule {schedule!r} has {len(words)} fields, not {len(FIELDS)}", "fix it")
    return {
        name: set().union(*(_part(part, name, low, high, schedule) for part in word.split(",")))
        for (name, low, high), word in zip(FIELDS, words, strict=True)
    }


def _part(part: str, name: str, low: int, high: int, schedule: str) -> set[int]:
    found = PART.fullmatch(part)
    wrong = ProbeError(f"schedule {schedule!r}: {part!r} is no {name}", "fix it")
    if not found:
        raise wrong
    span, step = found.group(1), int(found.group(2) or 1)
    first, _, last = span.partition("-")
    if span in {"*", "?"}:
        start, end = low, high
    else:
        start = _number(first, name)
        end = _number(last, name) if last else (high if found.group(2) else start)
    if not (low <= start <= end <= high) or step < 1:
        raise wrong
    values = set(range(start, end + 1, step))
    return {v % 7 for v in values} if name == "weekday" else values


def _number(word: str, name: str) -> int:
    if word.isdecimal():
        return int(word)
    names = NAMES.get(name, [])
    return names.index(word) + (name == "month") if word in names else -1


def _fires(day: dt.date, fields: dict[str, set[int]], schedule: str) -> bool:
    """Return True if `day` matches; day and weekday are joined by `or` where both are given."""
    words = MACROS.get(schedule.strip().lower(), schedule).split()
    weekday = (day.weekday() + 1) % 7 in fields["weekday"]
    of_month = day.day in fields["day"]
    both = not words[2].startswith(("*", "?")) and not words[4].startswith(("*", "?"))
    return day.month in fields["month"] and ((of_month or weekday) if both else (of_month and weekday))
