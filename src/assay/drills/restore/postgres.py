"""The drill of PostgreSQL's restore: into a scratch namespace, inside the sandbox, by the runbook.

Rows go through the public API until the fault, as the profile's first transaction. From then on nothing of
the old database is used: not its members, and nothing that reached object storage later. It is restored
twice, to the end of the log that was there and to a point in time; what comes back is compared with what was
acknowledged.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from assay.config.platform import Service
from assay.config.profile import Profile
from assay.drills import specs
from assay.drills.engine.clock import await_true, now
from assay.drills.engine.engine import Engine
from assay.drills.restore import postgres_evidence as evidence
from assay.drills.restore.inputs import CommandCursor
from assay.drills.restore.postgres_tools import TOOLS
from assay.drills.restore.procedure import Procedure, StepError, Wait
from assay.drills.restore.result import RestoreResult, Stopwatch
from assay.drills.restore.scratch_restore import ScratchRestore, ended, ready
from assay.drills.restore.sql_ledger import Row, SqlLedger, ledger_rows, reading, shows
from assay.drills.workload.ledger import OperationLog
from assay.drills.workload.verdict import OK, Op
from assay.errors import AssumptionError, ProbeError
from assay.formats.tools import run_tool
from assay.model import Offender
from assay.polling import poll
from assay.probes.postgres import Postgres


PSQL_TIMEOUT_S = 60.0

ROWS_MIN, MORE_ROWS = 12, 8
ARCHIVE_TIMEOUT_S, FETCH_TIMEOUT_S, REPLAY_TIMEOUT_S, ANSWER_TIMEOUT_S = 150.0, 300.0, 300.0, 30.0
CURRENT_SEGMENT_SQL = "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name"
SIZE_SQL = "SELECT sum(pg_database_size(oid)) FROM pg_database"
SCHEMA_SQL = (
    "SELECT 'Constraint ' || conrelid::regclass || '/' || conname FROM pg_constraint JOIN pg_namespace n "
    "ON n.oid = connamespace WHERE nspname = 'public' AND conrelid <> 0 UNION ALL "
    "SELECT 'Index ' || indexrelid::regclass FROM pg_index JOIN pg_class c ON c.oid = indexrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'public'"
)


@dataclass(frozen=True, slots=True)
class RowWriterLog:
    """The ledger and what is known of it.

    Attributes:
        rows: what was sent, by key.
        ops: the writes until the fault.
        point: a moment (of the drill's clock) in the middle of the rows.
        moment: the same moment by the calendar.
        archived: what was acknowledged before lay in object storage when the fault came.
        fault: when the ledger ended, and the old database with it.
    """

    rows: SqlLedger
    ops: Sequence[Op]
    point: float
    moment: dt.datetime
    archived: float
    fault: float


@dataclass(frozen=True, slots=True)
class RestoredRows:
    """What was looked up in the restored database: rows by key, parts of the schema by name, its size."""

    rows: Mapping[str, list[Row]]
    parts: Sequence[str]
    size: int

    @property
    def counts(self) -> dict[str, int]:
        """Return key -> how many rows it has."""
        return {key: len(rows) for key, rows in self.rows.items()}


class PostgresRestore(ScratchRestore):
    """The drill on the stack of one profile."""

    spec = specs.POSTGRES

    def __init__(self, profile: Profile, runbook: Path, service: Service) -> None:
        """Carry out the section of `runbook`; errors as for RestoreDrill."""
        super().__init__(profile, runbook, service)
        self._tool = TOOLS[service.backup]
        self._sql = Postgres.from_profile(profile)

    def _run(self, engine: Engine) -> RestoreResult:
        before = [one.ref for one in (*self._sql.constraints(), *self._sql.indexes())]
        written = self._ledger()
        try:
            result = self._both(engine, written, before)
        finally:
            cleaned = written.rows.clean_up()
        return replace(result, notes={**result.notes, "ledger": cleaned})

    def _both(self, engine: Engine, written: RowWriterLog, before: Sequence[str]) -> RestoreResult:
        with self._scratch(engine):
            result = self._latest(written, before)
        if result.offenders:
            return result
        with self._scratch(engine):
            wrong = self._to_the_point(written)
        return replace(result, offenders=tuple(wrong))

    # before the fault -----------------------------------------------------------------------------

    def _ledger(self) -> RowWriterLog:
        """Write rows until some are archived and some are not yet; the end of it is the fault."""
        run = secrets.token_hex(4)
        rows = SqlLedger.from_profile(self._profile, run)
        ledger = OperationLog(self._folder / f"ledger-{run}.jsonl", [rows.write] * 2)
        with ExitStack() as stack:
            stack.callback(ledger.stop)
            ledger.start()
            self._await_rows(ledger, ROWS_MIN)
            point, moment = now(), dt.datetime.now(dt.UTC)
            self._await_rows(ledger, MORE_ROWS)
            archived = now()
            self._await_archived(str(self._sql.rows(CURRENT_SEGMENT_SQL)[0]["name"]))
            self._await_rows(ledger, MORE_ROWS)
            ops = ledger.stop()
        return RowWriterLog(rows, ops, point, moment, archived, now())

    def _await_rows(self, ledger: OperationLog, count: int) -> None:
        begun = now()
        await_true(lambda: ledger.acked_since(begun) >= count, f"{count} transactions confirmed", 60)

    def _await_archived(self, name: str) -> None:
        """Wait until this file of the log, or a younger one, is archived.

        Raises:
            AssumptionError: the archive is stuck.
        """
        if not poll(lambda: self._sql.archiver().last[:24] >= name, ARCHIVE_TIMEOUT_S, every_s=1.0):
            raise AssumptionError(
                f"{name} of PostgreSQL's log is not archived after {ARCHIVE_TIMEOUT_S:.0f} s",
                "look at archive_command and the object storage",
            )

    # the restores ---------------------------------------------------------------------------------

    def _latest(self, written: RowWriterLog, before: Sequence[str]) -> RestoreResult:
        watch, notes = Stopwatch(self._budgets, written.fault), self._noted()
        acked = sum(op.outcome == OK for op in written.ops)
        wrong: list[Offender] = []
        restore = None
        try:
            with self._restoring(self._tool.latest) as (procedure, steps):
                _, invalid = self._restored(procedure, steps, watch)
                kept = self._aside(written)
                wrong = evidence.schema(before, kept.parts, invalid)
                bad, lost, newest = evidence.compare_rows(
                    written.ops, kept.counts, written.archived, self.ref
                )
                if not self._tool.ends:
                    lost, newest = evidence.not_counted(written.ops, written.archived)
                bad += changed(written.rows, kept.rows)
                wrong += bad or self._shown(procedure, steps, written, kept)
                watch.lap("verify")
                self._finish(procedure, steps)
            notes["segment"] = str(procedure.values["SEGMENT"])
            notes["old database"] = "left running and not used: its data counts as gone from the fault on"
            notes["images"] = "of the registry, possibly in the node's cache already"
            restore = watch.finish(
                self.service.name, kept.size, written.fault - newest, lost, not wrong, "L3", notes
            )  # fmt: skip
        except StepError as failed:
            wrong.append(self._offender(failed))
        return RestoreResult(restore if not wrong else None, tuple(wrong), acked, notes)

    def _noted(self) -> dict[str, str]:
        """Return what the evidence must say of the tool."""
        return {"tool": self._tool.note} if self._tool.note else {}

    def _to_the_point(self, written: RowWriterLog) -> list[Offender]:
        watch = Stopwatch(self._budgets, written.fault)
        try:
            with self._restoring(f"{written.moment:%Y-%m-%d %H:%M:%S.%f}+00") as (procedure, steps):
                self._restored(procedure, steps, watch)
                kept = self._aside(written)
                wrong = evidence.to_the_point(written.ops, kept.counts, written.point)
                wrong = wrong or self._shown(procedure, steps, written, kept)
                self._finish(procedure, steps)
        except StepError as failed:
            return [self._offender(failed)]
        return wrong

    def _restoring(self, point: str) -> AbstractContextManager[tuple[Procedure, CommandCursor]]:
        waits = {
            " logs --follow ": Wait(self._tool.fetched, FETCH_TIMEOUT_S, self._tool.failed),
            " get pod ": Wait(ready, REPLAY_TIMEOUT_S, ended),
            " --raw ": Wait(bool, ANSWER_TIMEOUT_S),
        }
        return self._opened(waits, {"POINT": point}, FETCH_TIMEOUT_S)

    def _restored(self, procedure: Procedure, steps: CommandCursor, watch: Stopwatch) -> tuple[str, str]:
        """Run the section up to its last question by psql, which names what is invalid in the schema.

        Returns the tool's log and what that question printed; once the first one is answered, the server
        answers.
        """
        ends, log, printed = {"apply": "fetch", "logs": "restore", "get": "replay"}, "", ""
        for command in steps.until_last("psql"):
            printed = procedure.run(command)
            log = printed if "logs" in command.words else log
            if "lsf" in command.words:
                procedure.values["SEGMENT"] = self._tool.newest_segment(printed, watch.t0, command)
            if part := next((part for word, part in ends.items() if word in command.words), ""):
                watch.lap(part)
            if "psql" in command.words and not watch.parts["answer"]:
                watch.lap("answer")
        return log, printed

    def _shown(
        self, procedure: Procedure, steps: CommandCursor, written: RowWriterLog, kept: RestoredRows
    ) -> list[Offender]:
        """Have the application show the newest restored row."""
        newest = next((op.key for op in reversed(written.ops) if kept.rows.get(op.key)), "")
        if not newest:
            return [Offender(self.ref, "no row of the ledger came back")]
        return self._read(procedure, steps, kept.rows[newest][0], [written.rows.sent[newest].mark])

    def _read(
        self, procedure: Procedure, steps: CommandCursor, row: Row, values: Sequence[object]
    ) -> list[Offender]:
        """Have the application show a row; its answer must hold each of `values`."""
        known = self._profile.transactions[0]
        if not known.read:
            return []
        commands = steps.until("--raw")
        procedure.values.update(reading(commands, known, row))
        printed = "".join(procedure.run(command) for command in commands)
        return [] if shows(printed, values) else [Offender(self.ref, "the application shows another row")]

    def _finish(self, procedure: Procedure, steps: CommandCursor) -> None:
        for command in steps.rest():
            if "--raw" not in command.words:
                procedure.run(command)

    # looking into the restored database past the runbook --------------------------------------------

    def _aside(self, written: RowWriterLog) -> RestoredRows:
        """Return the ledger's rows, the names of the schema's parts and the size, asked with our own key."""
        return self._unwatched.submit(self._looked, written.rows.questions()).result()

    def _looked(self, questions: str) -> RestoredRows:
        rows = ledger_rows(self._ask(questions))
        return RestoredRows(rows, self._ask(SCHEMA_SQL).splitlines(), int(self._ask(SIZE_SQL)))

    def _ask(self, statements: str) -> str:
        """Return what the restored database prints for SQL, columns parted by tabs."""
        profile = self._profile
        argv = [
            str(profile.need_path("tools.kubectl")),
            f"--kubeconfig={profile.need_path('kube.kubeconfig')}",
            "-n", self.place.namespace, "exec", "-i", self.place.pod, "--",
            "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
            "-d", profile.need_text("sql.dbname"),
        ]  # fmt: skip
        # The whole environment: the kubeconfig may name a program that fetches the credential.
        done = run_tool(
            argv, PSQL_TIMEOUT_S, "psql in the restored database", remedy="look at its pod", env=os.environ,
            stdin=statements.encode(),
        )  # fmt: skip
        if done.code:
            raise ProbeError("the restored database cannot be asked", "look at the log of its pod")
        return done.text


def changed(written: SqlLedger, kept: Mapping[str, Sequence[Row]]) -> list[Offender]:
    """Return the restored rows that are other than the application confirmed."""
    return [
        Offender(f"Row {key}", f"came back changed: {why}")
        for key, rows in kept.items()
        for row in rows
        for why in written.sent[key].differing(row)
    ]
