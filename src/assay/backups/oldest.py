"""The oldest objects of a listing, and what is older than it is kept; one page of it held at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from assay.backups.retention import BUCKET, RetentionRule, overdue
from assay.model import Offender
from assay.probes.s3.facts import ObjectVersion


MAX_OVERDUE = 1000


@dataclass(slots=True)
class Oldest:
    """What was seen: how many objects, the oldest by time and by name, and those that are kept too long."""

    count: int = 0
    oldest: list[ObjectVersion] = field(default_factory=list)
    overdue: list[Offender] = field(default_factory=list)


def look(shown: Iterable[ObjectVersion], rule: RetentionRule, late: float, moment: dt.datetime) -> Oldest:
    """Return the oldest of the `shown` objects, by time and by name, which often holds one; and the overdue.

    Args:
        shown: the objects of a service.
        rule: what the document says of it; what a tool ends is not judged object by object.
        late: days that a removal may be late.
        moment: now.
    """
    seen, by_time, by_name = Oldest(), None, None
    for one in shown:
        seen.count += 1
        by_time = one if by_time is None or one.modified < by_time.modified else by_time
        by_name = one if by_name is None or one.key < by_name.key else by_name
        if rule.ended == BUCKET and len(seen.overdue) < MAX_OVERDUE:
            seen.overdue += overdue(rule, [(one.ref, one.modified)], late, moment)
    seen.oldest = list(dict.fromkeys(one for one in (by_time, by_name) if one is not None))
    return seen
