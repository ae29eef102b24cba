"""The drill of PostgreSQL's oldest point: the oldest base backup, restored to the moment after it was whole.

The same section of the runbook, in the same sandbox, into a scratch namespace. The point is older than any
ledger, so other things are compared: which backup was taken, every page and index, every constraint,
the newest rows that the live database has from before the point, and that nothing younger came back.

It is not a recovery: its point is weeks old by intent. So nothing goes into the record of restores, of which
ACC-07 and DR-04 judge the newest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from assay.backups.places import shown_in
from assay.backups.postgres_archive import Base, read_archive
from assay.drills.engine.engine import Engine
from assay.drills.restore import postgres_evidence as evidence
from assay.drills.restore.inputs import CommandCursor
from assay.drills.restore.postgres import (
    ANSWER_TIMEOUT_S,
    SCHEMA_SQL,
    SIZE_SQL,
    PostgresRestore,
    RowWriterLog,
)
from assay.drills.restore.procedure import Procedure, StepError
from assay.drills.restore.result import MEASURED, RestoreResult, Stopwatch
from assay.drills.restore.sql_ledger import Row, history, json_rows, live_history, reading
from assay.drills.specs import OLDEST_POSTGRES
from assay.drills.workload.verdict import OK
from assay.model import Offender
from assay.polling import poll
from assay.probes.kube.wire import ApiAnswer
from assay.probes.s3.client import S3


# A commit answers within seconds: what was written a minute before the point is in every backup of then.
SETTLED_BEFORE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """What is restored, and what is known of it before the fault.

    Attributes:
        base: the oldest base backup.
        moment: a moment after it was whole.
        known: name -> live row from before that moment.
        parts: the live constraints and indexes by name.
    """

    base: Base
    moment: dt.datetime
    known: Mapping[str, Row]
    parts: Sequence[str]

    @property
    def point(self) -> str:
        """Return the moment as PostgreSQL's log is replayed to it."""
        return f"{self.moment:%Y-%m-%d %H:%M:%S}+00"


@dataclass(frozen=True, slots=True)
class RestoredState:
    """What the restored database holds.

    Attributes:
        parts: its constraints and indexes by name.
        size: bytes of all its databases.
        settled: name -> row from well before the point.
        older: the same from before the point.
        every: the same of all there is, the newest first.
    """

    parts: Sequence[str]
    size: int
    settled: Mapping[str, Row]
    older: Mapping[str, Row]
    every: Mapping[str, Row]

    @property
    def younger(self) -> list[str]:
        """Return the names of rows that are younger than the point."""
        return [name for name in self.every if name not in self.older]


class OldestPostgresRestore(PostgresRestore):
    """The drill on the stack of one profile; nothing of it goes into the record of restores."""

    spec = OLDEST_POSTGRES

    def _run(self, engine: Engine) -> RestoreResult:
        s3 = S3.from_profile(self._profile)
        found = read_archive(s3, self.service.backup, shown_in(s3, self._profile, self.service)).bases
        if not found or found[0].whole is None:
            ref = found[0].ref if found else f"Service {self.service.name}"
            return RestoreResult(None, (Offender(ref, "no base backup that is whole"),))
        wanted, written = self._wanted(found[0], found[0].whole), self._ledger()
        try:
            with self._scratch(engine):
                result = self._oldest(wanted, written)
        finally:
            cleaned = written.rows.clean_up()
        return replace(result, notes={**result.notes, "ledger": cleaned})

    def _wanted(self, base: Base, whole: dt.datetime) -> RestoreTarget:
        """Aim at the next whole second: the tool takes the newest backup that ended before it."""
        moment = whole.replace(microsecond=0) + dt.timedelta(seconds=1)
        known = self._named(live_history(self._profile.transactions[0], self._sql, moment - SETTLED_BEFORE))
        parts = [one.ref for one in (*self._sql.constraints(), *self._sql.indexes())]
        return RestoreTarget(base, moment, known, parts)

    def _oldest(self, wanted: RestoreTarget, written: RowWriterLog) -> RestoreResult:
        notes = {"backup": wanted.base.label, "restored to": wanted.point} | self._noted()
        watch = Stopwatch(self._budgets, written.fault)
        try:
            with self._restoring(wanted.point) as (procedure, steps):
                log, invalid = self._restored(procedure, steps, watch)
                found = self._unwatched.submit(self._found, wanted).result()
                wrong = evidence.schema((), found.parts, invalid)
                taken = self._tool.label(log)
                wrong += evidence.oldest(wanted.base.label, taken, wanted.known, found.settled, found.younger)
                wrong += self._application(procedure, steps, found, written)
                watch.lap("verify")
                self._finish(procedure, steps)
        except StepError as failed:
            return RestoreResult(None, (self._blamed(wanted.base, failed),), notes=notes)
        acked = sum(op.outcome == OK for op in written.ops)
        compared = (*found.parts, *wanted.known)
        return RestoreResult(
            None, tuple(wrong), acked, notes | _notes(wanted, found, watch), compared=compared
        )

    def _blamed(self, base: Base, failed: StepError) -> Offender:
        """Return what to name; what the backup brought back is the backup's fault, not the line's."""
        said = self._offender(failed)
        checks = [one.ref for one in self.commands if "pg_amcheck" in one.words]
        return Offender(base.ref, said.why) if said.ref in (self.ref, *checks) else said

    def _application(
        self, procedure: Procedure, steps: CommandCursor, found: RestoredState, written: RowWriterLog
    ) -> list[Offender]:
        """Have the application show the newest row; where there is none yet, look for a younger one."""
        if found.every:
            newest = next(iter(found.every.values()))
            return self._read(procedure, steps, newest, [*newest.values()])
        acked = next(op.key for op in written.ops if op.outcome == OK)
        row = self._unwatched.submit(written.rows.live_row, acked).result()
        return self._unknown(procedure, steps, row)

    # looking into the restored database past the runbook, with our own key ----------------------------

    def _found(self, wanted: RestoreTarget) -> RestoredState:
        known = self._profile.transactions[0]
        moments = (wanted.moment - SETTLED_BEFORE, wanted.moment, dt.datetime.now(dt.UTC))
        settled, older, every = (self._named(json_rows(self._ask(history(known, one)))) for one in moments)
        return RestoredState(
            self._ask(SCHEMA_SQL).splitlines(), int(self._ask(SIZE_SQL)), settled, older, every
        )

    def _named(self, rows: Iterable[Row]) -> dict[str, Row]:
        """Return rows by a name made of the transaction and the first column."""
        name = self._profile.transactions[0].name
        return {f"Row {name}/{next(iter(row.values()), '')}": row for row in rows}

    def _unknown(self, procedure: Procedure, steps: CommandCursor, row: Row) -> list[Offender]:
        """Have the application look up a row that is younger than the point: it must find none."""
        known = self._profile.transactions[0]
        commands = steps.until("--raw")
        procedure.values.update(reading(commands, known, row))
        path = procedure.meant(commands[-1]).words[-1]
        answer = self._unwatched.submit(self._served, path).result()
        # The API server's own 404, for a service that is not there, is a Status.
        if answer.status == 404 and answer.body.get("kind") != "Status":
            return []
        return [Offender(self.ref, f"the application does not look rows up: {answer.status}")]

    def _served(self, path: str) -> ApiAnswer:
        """Return what the application answers, asked again while it is not serving yet."""
        answers = [self._kube.wire.ask("GET", path)]

        def decided() -> bool:
            answers.append(self._kube.wire.ask("GET", path))
            return answers[-1].status != 503

        poll(decided, ANSWER_TIMEOUT_S, every_s=1.0)
        return answers[-1]


def _notes(wanted: RestoreTarget, found: RestoredState, watch: Stopwatch) -> dict[str, str]:
    """Return what is worth reading of a restore that went through."""
    younger = sorted(set(wanted.parts) - set(found.parts))
    return {
        "took": ", ".join(f"{part} {watch.parts[part]:.0f} s" for part in MEASURED),
        "rows": f"{len(found.every)}, {len(wanted.known)} compared with the live ones, in {found.size} bytes",
        "of today's schema not there yet": ", ".join(younger) or "nothing",
    }
