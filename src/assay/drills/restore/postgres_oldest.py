"""The drill of PostgreSQL's oldest point: the oldest base backup, restored to the moment after it was whole.

The same section of the runbook, in the same sandbox, into a scratch namespace. The point is older than any
ledger, so other things are compared: which backup was taken, every page and index, every constraint,
the newest orders that the live database has from before the point, and that nothing younger came back.

It is not a recovery: its point is weeks old by intent. So nothing goes into the record of restores, of which
ACC-07 and DR-04 judge the newest.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.backups.postgres_archive import Base, read_archive
from assay.config.profile import Profile
from assay.drills.engine.engine import Engine
from assay.drills.restore import postgres_evidence as evidence
from assay.drills.restore.inputs import CommandCursor
from assay.drills.restore.postgres import (
    ANSWER_TIMEOUT_S,
    ORDERS_PATH,
    SCHEMA_SQL,
    SIZE_SQL,
    PostgresRestore,
    RowWriterLog,
)
from assay.drills.restore.procedure import Procedure, StepError
from assay.drills.restore.result import MEASURED, RestoreResult, Stopwatch
from assay.drills.specs import OLDEST_POSTGRES
from assay.drills.workload.verdict import OK
from assay.formats.parsing import parsing
from assay.model import Offender
from assay.polling import poll
from assay.probes.s3.client import S3


# A commit answers within seconds: what was written a minute before the point is in every backup of then.
SETTLED_BEFORE = dt.timedelta(minutes=1)
OLDER_SQL = "SELECT id, md5(mark) AS mark FROM orders WHERE created < %s ORDER BY created DESC LIMIT 1000"
SAME_SQL = "SELECT id, md5(mark) FROM orders WHERE id IN (%s)"
YOUNGER_SQL = "SELECT 'Row orders/' || id FROM orders WHERE created > '%s' ORDER BY id LIMIT 1000"
LAST_SQL = "SELECT json_build_array(id, mark) FROM orders ORDER BY id DESC LIMIT 1"
COUNT_SQL = "SELECT count(*) FROM orders"
UNKNOWN_ORDER = "no such order"


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """What is restored, and what is known of it before the fault.

    Attributes:
        base: the oldest base backup.
        point: a moment after it was whole, as pgBackRest takes it.
        known: id -> digest of live orders from before the point.
        parts: the live constraints and indexes by name.
    """

    base: Base
    point: str
    known: Mapping[int, str]
    parts: Sequence[str]


@dataclass(frozen=True, slots=True)
class RestoredState:
    """What the restored database holds.

    Attributes:
        parts: its constraints and indexes by name.
        size: bytes of all its databases.
        orders: how many.
        same: id -> digest of those orders that were asked for.
        younger: orders from after the point, by name.
        last: id and mark of the newest, None where there is no order at all.
    """

    parts: Sequence[str]
    size: int
    orders: int
    same: Mapping[int, str]
    younger: Sequence[str]
    last: tuple[int, str] | None


class OldestPostgresRestore(PostgresRestore):
    """The drill on the stack of one profile; nothing of it goes into the record of restores."""

    spec = OLDEST_POSTGRES

    def __init__(self, profile: Profile, runbook: Path) -> None:
        """Carry out the section of `runbook`; errors as for RestoreDrill."""
        super().__init__(profile, runbook)
        self._s3 = S3.from_profile(profile)

    def _run(self, engine: Engine) -> RestoreResult:
        bucket = self._s3.buckets[self.service]
        shown = (one for one in self._s3.each_version(bucket) if one.shown)
        found = read_archive(self._s3, "pgbackrest", shown).bases
        if not found or found[0].whole is None:
            ref = found[0].ref if found else f"Service {self.service}"
            return RestoreResult(None, (Offender(ref, "no base backup with a manifest"),))
        wanted, written = self._wanted(found[0], found[0].whole), self._ledger()
        with self._scratch(engine):
            return self._oldest(wanted, written)

    def _wanted(self, base: Base, whole: dt.datetime) -> RestoreTarget:
        """Aim at the next whole second: pgBackRest takes the newest backup that ended before it."""
        moment = whole.replace(microsecond=0) + dt.timedelta(seconds=1)
        known = {row["id"]: row["mark"] for row in self._sql.rows(OLDER_SQL, (moment - SETTLED_BEFORE,))}
        parts = [one.ref for one in (*self._sql.constraints(), *self._sql.indexes())]
        return RestoreTarget(base, f"{moment:%Y-%m-%d %H:%M:%S}+00", known, parts)

    def _oldest(self, wanted: RestoreTarget, written: RowWriterLog) -> RestoreResult:
        notes = {"backup": wanted.base.label, "restored to": wanted.point}
        watch = Stopwatch(self._budgets, written.fault)
        try:
            with self._opened(wanted.point) as (procedure, steps):
                log, invalid = self._restored(procedure, steps, watch)
                found = self._unwatched.submit(self._found, wanted).result()
                wrong = evidence.schema((), found.parts, invalid)
                taken = evidence.taken(log)
                wrong += evidence.oldest(wanted.base.label, taken, wanted.known, found.same, found.younger)
                wrong += self._application(procedure, steps, found, written)
                watch.lap("verify")
                self._finish(procedure, steps)
        except StepError as failed:
            return RestoreResult(None, (self._blamed(wanted.base, failed),), notes=notes)
        acked = sum(op.outcome == OK for op in written.ops)
        compared = (*found.parts, *(f"Row orders/{number}" for number in wanted.known))
        return RestoreResult(
            None, tuple(wrong), acked, notes | _notes(wanted, found, watch), compared=compared
        )

    def _blamed(self, base: Base, failed: StepError) -> Offender:
        """Return what to name; what the backup brought back is the backup's fault, not the line's."""
        said = self._offender(failed)
        checks = [one.ref for one in self.runbook.section(self.section) if "pg_amcheck" in one.words]
        return Offender(base.ref, said.why) if said.ref in (self.target.ref, *checks) else said

    def _application(
        self, procedure: Procedure, steps: CommandCursor, found: RestoredState, written: RowWriterLog
    ) -> list[Offender]:
        """Have the application show the newest order; where there is none yet, look for a younger one."""
        if found.last is not None:
            return self._read(procedure, steps, *found.last)
        return self._unwatched.submit(self._unknown, next(iter(written.ids.values()))).result()

    # looking into the restored database past the runbook, with our own key ----------------------------

    @parsing("what the restored database says", "look at its pod")
    def _found(self, wanted: RestoreTarget) -> RestoredState:
        same = self._ask(SAME_SQL % (", ".join(map(str, wanted.known)) or "NULL"))
        rows = (line.split("\t") for line in same.splitlines())
        last = self._ask(LAST_SQL)
        return RestoredState(
            self._ask(SCHEMA_SQL).splitlines(), int(self._ask(SIZE_SQL)), int(self._ask(COUNT_SQL)),
            {int(number): mark for number, mark in rows}, self._ask(YOUNGER_SQL % wanted.point).splitlines(),
            tuple(json.loads(last)) if last.strip() else None,
        )  # fmt: skip

    def _unknown(self, number: int) -> list[Offender]:
        """Have the application look up an order that is younger than the point: it must find none."""
        service = f"/api/v1/namespaces/{self.target.space}/services/public-api:http/proxy"
        answer = self._kube.wire.ask("GET", f"{service}{ORDERS_PATH}/{number}")

        def decided() -> bool:
            nonlocal answer
            answer = self._kube.wire.ask("GET", f"{service}{ORDERS_PATH}/{number}")
            return answer.status != 503

        poll(decided, ANSWER_TIMEOUT_S, every_s=1.0)
        if answer.status == 404 and UNKNOWN_ORDER in answer.reason:
            return []
        return [Offender(self.target.ref, f"the application does not look orders up: {answer.status}")]


def _notes(wanted: RestoreTarget, found: RestoredState, watch: Stopwatch) -> dict[str, str]:
    """Return what is worth reading of a restore that went through."""
    younger = sorted(set(wanted.parts) - set(found.parts))
    return {
        "took": ", ".join(f"{part} {watch.parts[part]:.0f} s" for part in MEASURED),
        "orders": f"{found.orders}, {len(wanted.known)} compared with the live ones, in {found.size} bytes",
        "of today's schema not there yet": ", ".join(younger) or "nothing",
    }
