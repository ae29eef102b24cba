"""ACC-07: a clock that starts at the restore command, nobody who has to decide, and a restore too slow."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from assay.drills.records import Records
from assay.drills.restore import Restore
from assay.errors import GuardError
from assay.plant import Named, Plant


def _recorded(
    name: str, what: str, spoil: Callable[[Restore], Restore]
) -> Callable[[Plant], AbstractContextManager[Named]]:
    """Return a violation that adds a spoiled copy of the newest record of etcd; the file comes back."""

    @contextmanager
    def violation(plant: Plant) -> Iterator[Named]:
        records = Records.from_profile(plant.profile)
        if "etcd" not in records.newest():
            raise GuardError("there is no record of a restore of etcd to spoil", "run the drill DR-03 first")
        restore = spoil(records.newest()["etcd"].restore)
        with plant.talos_api.replaced(records.path, records.path.read_text(encoding="utf-8")):
            records.add(dataclasses.replace(restore, ended=restore.ended))
            yield Named(restore.named)

    violation.__name__ = name
    violation.__doc__ = what
    return violation


def _late_clock(restore: Restore) -> Restore:
    """Leave out what passed before the restore command: the end does not fit the parts any more."""
    return dataclasses.replace(restore, parts={**restore.parts, "fetch": 0.0, "answer": 0.0})


def _no_budgets(restore: Restore) -> Restore:
    return dataclasses.replace(restore, parts={**restore.parts, "detect": 0.0, "decide": 0.0})


def _slow(restore: Restore) -> Restore:
    parts = {**restore.parts, "restore": restore.parts["restore"] + 1800}
    return dataclasses.replace(restore, parts=parts, t0=restore.t0 - 1800)


PLANTED = [
    _recorded("late_clock", "The clock was started at the restore command.", _late_clock),
    _recorded("no_budgets", "Detection and decision count as nothing.", _no_budgets),
    _recorded("slow", "Half an hour longer in the restore itself.", _slow),
]
