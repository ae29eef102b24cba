"""The drill of PostgreSQL's restore: into a scratch namespace, inside the sandbox, by the runbook.

Rows go through the public API until the fault. From then on nothing of the old database is used: not its
members, and nothing that reached object storage later. It is restored twice, to the end of the log that was
there and to a point in time; what comes back is compared with what was acknowledged.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay.config.profile import Profile
from assay.drills import specs
from assay.drills.engine.clock import await_true, now
from assay.drills.engine.engine import Engine
from assay.drills.faults.scratch import POSTGRES
from assay.drills.restore import postgres_evidence as evidence
from assay.drills.restore.inputs import CommandCursor
from assay.drills.restore.postgres_evidence import KeptRows
from assay.drills.restore.procedure import Procedure, StepError, Wait
from assay.drills.restore.result import RestoreResult, Stopwatch
from assay.drills.restore.scratch_restore import ScratchRestore, ended, ready
from assay.drills.workload.ledger import OperationLog, outcome_of
from assay.drills.workload.verdict import INFO, OK, Op
from assay.errors import AssumptionError, ProbeError
from assay.formats.tools import run_tool
from assay.model import Offender
from assay.polling import poll
from assay.probes.net.http import WritingHttp
from assay.probes.postgres import Postgres


PSQL_TIMEOUT_S = 60.0

ORDERS_PATH = "/api/v1/orders"
LATEST = "latest"
ROWS_MIN, MORE_ROWS = 12, 8
ARCHIVE_TIMEOUT_S, FETCH_TIMEOUT_S, REPLAY_TIMEOUT_S, ANSWER_TIMEOUT_S = 150.0, 300.0, 300.0, 30.0
CURRENT_SEGMENT_SQL = "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name"
LEDGER_SQL = "SELECT id, substr(mark, %d) FROM orders WHERE mark LIKE '%s%%' ORDER BY id"
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
        run: all marks begin with `ledger-<run>-`.
        ops: the writes until the fault.
        ids: key -> id of the row, as the API confirmed it.
        point: a moment (of the drill's clock) in the middle of the rows.
        moment: the same moment by the calendar.
        archived: what was acknowledged before lay in object storage when the fault came.
        fault: when the ledger ended, and the old database with it.
    """

    run: str
    ops: Sequence[Op]
    ids: Mapping[str, int]
    point: float
    moment: dt.datetime
    archived: float
    fault: float

    @property
    def mark(self) -> str:
        """Return what all marks begin with."""
        return f"ledger-{self.run}-"


class PostgresRestore(ScratchRestore):
    """The drill on the stack of one profile."""

    spec, target = specs.POSTGRES, POSTGRES
    service, section = POSTGRES.service, POSTGRES.section

    def __init__(self, profile: Profile, runbook: Path) -> None:
        """Carry out the section of `runbook`; errors as for RestoreDrill."""
        super().__init__(profile, runbook)
        self._sql, self._http = Postgres.from_profile(profile), WritingHttp.from_profile(profile)

    def _run(self, engine: Engine) -> RestoreResult:
        before = [one.ref for one in (*self._sql.constraints(), *self._sql.indexes())]
        written = self._ledger()
        with self._scratch(engine):
            result = self._latest(written, before)
        if result.offenders:
            return result
        with self._scratch(engine):
            wrong = self._to_the_point(written)
        return RestoreResult(result.restore, tuple(wrong), result.acked, result.notes)

    # before the fault -----------------------------------------------------------------------------

    def _ledger(self) -> RowWriterLog:
        """Write rows until some are archived and some are not yet; the end of it is the fault."""
        run, ids = secrets.token_hex(4), dict[str, int]()
        ledger = OperationLog(self._folder / f"ledger-{run}.jsonl", [self._writer(run, ids)] * 2)
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
        return RowWriterLog(run, ops, ids, point, moment, archived, now())

    def _writer(self, run: str, ids: dict[str, int]) -> Callable[[str], str]:
        def write(key: str) -> str:
            try:
                reply = self._http.post(ORDERS_PATH, {"mark": f"ledger-{run}-{key}"})
            except ProbeError:
                return INFO
            outcome = outcome_of(reply.status)
            if outcome == OK:
                ids[key] = int(str(reply.fields.get("id", 0)))
            return outcome

        return write

    def _await_rows(self, ledger: OperationLog, count: int) -> None:
        begun = now()
        await_true(lambda: ledger.acked_since(begun) >= count, f"{count} orders confirmed by the API", 60)

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
        watch, notes = Stopwatch(self._budgets, written.fault), dict[str, str]()
        acked = sum(op.outcome == OK for op in written.ops)
        wrong: list[Offender] = []
        restore = None
        try:
            with self._opened(LATEST) as (procedure, steps):
                _, invalid = self._restored(procedure, steps, watch)
                kept, parts, size = self._aside(written)
                wrong = evidence.schema(before, parts, invalid)
                bad, lost, newest = evidence.compare_rows(written.ops, kept, written.archived)
                wrong += bad or self._shown(procedure, steps, written, kept)
                watch.lap("verify")
                self._finish(procedure, steps)
            notes["segment"] = str(procedure.values["SEGMENT"])
            notes["old database"] = "left running and not used: its data counts as gone from the fault on"
            notes["images"] = "of the registry, possibly in the node's cache already"
            restore = watch.finish(
                self.service, size, written.fault - newest, lost, not wrong, "L3", notes
            )  # fmt: skip
        except StepError as failed:
            wrong.append(self._offender(failed))
        return RestoreResult(restore if not wrong else None, tuple(wrong), acked, notes)

    def _to_the_point(self, written: RowWriterLog) -> list[Offender]:
        watch = Stopwatch(self._budgets, written.fault)
        try:
            with self._opened(f"{written.moment:%Y-%m-%d %H:%M:%S.%f}+00") as (procedure, steps):
                self._restored(procedure, steps, watch)
                kept, _, _ = self._aside(written)
                wrong = evidence.to_the_point(written.ops, kept, written.point)
                wrong = wrong or self._shown(procedure, steps, written, kept)
                self._finish(procedure, steps)
        except StepError as failed:
            return [self._offender(failed)]
        return wrong

    @contextmanager
    def _opened(self, point: str) -> Iterator[tuple[Procedure, CommandCursor]]:
        waits = {
            " logs --follow ": Wait(evidence.fetched_backup, FETCH_TIMEOUT_S, evidence.unfetched),
            " get pod ": Wait(ready, REPLAY_TIMEOUT_S, ended),
            " --raw ": Wait(bool, ANSWER_TIMEOUT_S),
        }
        with self._sandbox() as sandbox:
            procedure = self._inputs.procedure(sandbox, waits, {"POINT": point}, limit=FETCH_TIMEOUT_S)
            yield procedure, CommandCursor(self.runbook.section(self.section))

    def _restored(self, procedure: Procedure, steps: CommandCursor, watch: Stopwatch) -> tuple[str, str]:
        """Run the section up to the schema's check and return pgBackRest's log and what the check printed."""
        ends, log = {"apply": "fetch", "logs": "restore", "get": "replay"}, ""
        for command in steps.until("/etc/restore/files/check.sql"):
            printed = procedure.run(command)
            log = printed if "logs" in command.words else log
            if "lsf" in command.words:
                procedure.values["SEGMENT"] = evidence.newest_segment(printed, watch.t0, command)
            if part := next((part for word, part in ends.items() if word in command.words), ""):
                watch.lap(part)
            if "/etc/restore/files/accounts.sql" in command.words:
                watch.lap("answer")
        return log, printed

    def _shown(
        self, procedure: Procedure, steps: CommandCursor, written: RowWriterLog, kept: Sequence[KeptRows]
    ) -> list[Offender]:
        """Have the application show the newest restored row, by the id that it was confirmed with."""
        if not kept:
            return [Offender(self.target.ref, "no row of the ledger came back")]
        newest = kept[-1]
        if written.ids.get(newest.key, newest.id) != newest.id:
            return [Offender(f"Row {newest.key}", "came back under another id")]
        return self._read(procedure, steps, newest.id, f"{written.mark}{newest.key}")

    def _read(self, procedure: Procedure, steps: CommandCursor, number: int, mark: str) -> list[Offender]:
        """Have the application show an order, by its id."""
        procedure.values["ORDER"] = str(number)
        printed = "".join(procedure.run(command) for command in steps.until("--raw"))
        try:
            body = json.loads(printed)
        except ValueError:
            body = {}
        return evidence.shown_order(body if isinstance(body, dict) else {}, mark)

    def _finish(self, procedure: Procedure, steps: CommandCursor) -> None:
        for command in steps.rest():
            if "--raw" not in command.words:
                procedure.run(command)

    # looking into the restored database past the runbook --------------------------------------------

    def _aside(self, written: RowWriterLog) -> tuple[list[KeptRows], list[str], int]:
        """Return the ledger's rows, the names of the schema's parts and the size, asked with our own key."""
        return self._unwatched.submit(self._looked, written.mark).result()

    def _looked(self, mark: str) -> tuple[list[KeptRows], list[str], int]:
        kept = evidence.evidence_rows(self._ask(LEDGER_SQL % (len(mark) + 1, mark)))
        return kept, self._ask(SCHEMA_SQL).splitlines(), int(self._ask(SIZE_SQL))

    def _ask(self, statement: str) -> str:
        profile = self._profile
        argv = [
            str(profile.need_path("tools.kubectl")),
            f"--kubeconfig={profile.need_path('kube.kubeconfig')}",
            "-n", self.target.space, "exec", "postgres", "--",
            "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-d", "shop", "-c", statement,
        ]  # fmt: skip
        # The whole environment: the kubeconfig may name a program that fetches the credential.
        done = run_tool(
            argv, PSQL_TIMEOUT_S, "psql in the restored database", remedy="look at its pod", env=os.environ
        )
        if done.code:
            raise ProbeError("the restored database cannot be asked", "look at the log of its pod")
        return done.text
