"""PostgreSQL read past the product's own path, as an account that may only read. The one user of psycopg."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.model import Attempt
from assay.probes.guard import READING, Request


CONNECT_TIMEOUT_S = 5
STATEMENT_MS = 20000
WRONG = "password authentication failed"
OPEN = (
    "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name, setting AS timeout FROM pg_settings "
    "WHERE name = 'archive_timeout'"
)
ARCHIVER = (
    "SELECT archived_count, failed_count, coalesce(last_archived_wal, '') AS last, "
    "extract(epoch FROM clock_timestamp() - last_archived_time) AS age, "
    "last_failed_time > coalesce(last_archived_time, '-infinity') AS failing FROM pg_stat_archiver"
)
CONSTRAINTS = (
    "SELECT conrelid::regclass::text AS tab, conname AS name, convalidated AS valid FROM pg_constraint c "
    "JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname = 'public' AND conrelid <> 0 ORDER BY 1, 2"
)
INDEXES = (
    "SELECT c.oid::regclass::text AS name, i.indisvalid AND i.indisready AS valid, a.amname AS kind "
    "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' ORDER BY 1"
)


def following(segment: str) -> str:
    """Return the name of the next segment of the same timeline (16 MiB each, 256 to a log file)."""
    number = int(segment[8:16], 16) * 256 + int(segment[16:], 16) + 1
    return f"{segment[:8]}{number // 256:08X}{number % 256:08X}"


@dataclass(frozen=True, slots=True)
class Archiver:
    """The log's archive: segments kept and failed, the newest kept one, seconds since; `failing` now."""

    archived: int
    failed: int
    last: str
    age: float | None
    failing: bool


@dataclass(frozen=True, slots=True)
class SegmentState:
    """One constraint or index of the schema: `Constraint table/name` or `Index name`, and if it is valid."""

    ref: str
    valid: bool
    why: str = ""


class Postgres:
    """Questions to one database; each is one read-only transaction on a connection of its own."""

    refusal: ClassVar[str] = WRONG

    def __init__(self, where: Mapping[str, str], password: str = "") -> None:
        """Ask the server at `where` (libpq keywords and values, no password among them)."""
        self._where, self._password = dict(where), password

    @classmethod
    def from_profile(cls, profile: Profile) -> Postgres:
        """Return the probe of the profile's `[sql]`.

        Raises:
            ProbeError: the profile does not say where the database is, or a file cannot be read.
        """
        known = {key: profile.need_text(f"sql.{key}") for key in ("host", "port", "dbname", "user")}
        known |= {"sslmode": "verify-full", "sslrootcert": str(profile.need_path("sql.ca"))}
        return cls(known, Path(profile.need_path("sql.password")).read_text().strip())

    @property
    def ref(self) -> str:
        """Return `Database host:port/dbname`."""
        return f"Database {self._where['host']}:{self._where['port']}/{self._where['dbname']}"

    def rows(
        self, statement: str, values: Sequence[object] | Mapping[str, object] = ()
    ) -> list[dict[str, Any]]:
        """Return the rows of one statement, run in a read-only transaction.

        Raises:
            ProbeError: not reachable, refused, or the statement failed. Its text has no value in it.
        """
        READING.admit(Request("postgres", "select", self._where["dbname"]))
        options = f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_MS}"
        try:
            with psycopg.connect(self._target(options), row_factory=dict_row) as session:
                return session.execute(statement.encode(), values).fetchall()
        except psycopg.OperationalError as error:
            raise ProbeError(f"{self.ref}: {_cause(error)}", "check [sql]; does it serve?") from error
        except psycopg.Error as error:
            remedy = "check the account's rights"
            raise ProbeError(f"{self.ref}: SQLSTATE {error.sqlstate}", remedy) from error

    def _target(self, options: str) -> str:
        secret = {"password": self._password} if self._password else {}
        return make_conninfo("", **self._where, **secret, connect_timeout=CONNECT_TIMEOUT_S, options=options)

    def login(self, user: str, password: str) -> Attempt:
        """Return whether the server lets `user` in with this password; nothing is asked of it then.

        Raises:
            ProbeError: it cannot be reached, or refuses for another reason than the password.
        """
        ref = f"Login {user} at {self.ref}"
        where = {**self._where, "user": user, "password": password}
        READING.admit(Request("postgres", "login", self._where["dbname"]))
        try:
            psycopg.connect(make_conninfo("", **where, connect_timeout=CONNECT_TIMEOUT_S)).close()
        except psycopg.OperationalError as error:
            # libpq tells a refused password by its words alone. They name the user, never the password.
            if WRONG in str(error):
                return Attempt(ref, admitted=False, reason=WRONG)
            raise ProbeError(f"{ref}: {_cause(error)}", "check [sql]; does it serve?") from None
        return Attempt(ref, admitted=True)

    def marked(self, find: str, mark: str) -> dict[str, Any] | None:
        """Return the row that a query finds with a mark, column -> value; None where there is none.

        Raises:
            ProbeError: not reachable, the query failed, or it finds several rows.
        """
        found = self.rows(find, {"mark": mark})
        if len(found) > 1:
            raise ProbeError(
                f"{self.ref}: {len(found)} rows with one mark", "let find return one row at most"
            )
        return found[0] if found else None

    def archiver(self) -> Archiver:
        """Return how the log's archive stands."""
        r = self.rows(ARCHIVER)[0]
        age = None if r["age"] is None else float(r["age"])
        return Archiver(r["archived_count"], r["failed_count"], r["last"], age, bool(r["failing"]))

    def unarchived(self, stored: Collection[str]) -> float | None:
        """Return how old what is not in object storage can be, in seconds; None where nobody can say.

        A server closes a segment that anything was written to after `archive_timeout`, and archives it. If
        the one before the current is the newest in the archive and in `stored`, all that is older is there:
        an idle database archives nothing, and lacks nothing.

        Args:
            stored: the segments that object storage lists, 24 digits each.
        """
        about, (row,) = self.archiver(), self.rows(OPEN)
        last, timeout = about.last[:24], float(row["timeout"])
        if about.failing or timeout <= 0 or last not in stored or row["name"] not in (last, following(last)):
            return None
        return timeout

    def constraints(self) -> list[SegmentState]:
        """Return the constraints of the schema `public`."""
        return [
            SegmentState(f"Constraint {r['tab']}/{r['name']}", r["valid"]) for r in self.rows(CONSTRAINTS)
        ]

    def indexes(self) -> list[SegmentState]:
        """Return the indexes of the schema `public`, every B-tree checked against its whole table.

        A B-tree that amcheck finds broken is not valid, with its SQLSTATE as the reason.
        """
        return [self._index(r["name"], r["valid"], r["kind"]) for r in self.rows(INDEXES)]

    def _index(self, name: str, valid: bool, kind: str) -> SegmentState:
        if not valid or kind != "btree":
            return SegmentState(f"Index {name}", valid, "" if valid else "marked invalid")
        try:
            self.rows("SELECT bt_index_check(%s::text::regclass, true)", (name,))
        except ProbeError as broken:
            if "SQLSTATE XX" not in broken.message:  # XX001, XX002: data or index corrupted
                raise
            return SegmentState(f"Index {name}", False, "amcheck finds it broken")
        return SegmentState(f"Index {name}", True)

    def size(self) -> int:
        """Return the bytes of the database on its disk."""
        return int(self.rows("SELECT pg_database_size(current_database()) AS size")[0]["size"])


def _cause(error: psycopg.OperationalError) -> str:
    return f"SQLSTATE {error.sqlstate}" if error.sqlstate else "no connection"
