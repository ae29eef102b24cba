"""The ledger of a database's restore: transactions of the profile, sent by the public name until the fault.

What came back is asked with the profile's own queries, so no table of any platform is known here.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.config.profile import Profile
from assay.config.transactions import MARK_IN_SQL, MOMENT_IN_SQL, Transaction
from assay.drills.restore.procedure import StepError
from assay.drills.workload.ledger import outcome_of
from assay.drills.workload.verdict import INFO, OK
from assay.errors import ProbeError, UndeclaredError
from assay.formats.parsing import parsing
from assay.probes.net.http import WritingHttp
from assay.probes.net.transactions import MarkedTransaction
from assay.probes.postgres import Postgres
from assay.probes.runbook.shell import Command


Row = Mapping[str, Any]
COLUMN = re.compile(r"\\\{row\\?\.(\w+)\\\}")


@dataclass(slots=True)
class SqlLedger:
    """One run of a ledger: each key is one transaction with a mark of its own.

    Attributes:
        known: the transaction of the profile.
        http: by which it is sent.
        sql: the live database.
        run: all marks begin with `assay-<run>-`.
        sent: key -> what was sent.
    """

    known: Transaction
    http: WritingHttp
    sql: Postgres
    run: str
    sent: dict[str, MarkedTransaction] = field(default_factory=dict)

    @classmethod
    def from_profile(cls, profile: Profile, run: str) -> SqlLedger:
        """Return the ledger `run` of the first transaction of the profile.

        Raises:
            UndeclaredError: the profile has none.
            ProbeError: it does not say where the API or the database is.
        """
        if not profile.transactions:
            raise UndeclaredError(
                "no transaction is declared, so nothing says which acknowledged writes must come back",
                "add a [[transactions]] whose rows the restored database holds",
            )
        http, sql = WritingHttp.from_profile(profile), Postgres.from_profile(profile)
        return cls(profile.transactions[0], http, sql, run)

    def write(self, key: str) -> str:
        """Send the transaction of a key and return its outcome."""
        one = MarkedTransaction(self.known, self.http, self.sql, f"assay-{self.run}-{key}")
        self.sent[key] = one
        try:
            status = one.send().status
        except ProbeError:
            return INFO
        return OK if status == self.known.status else outcome_of(status)

    def questions(self) -> str:
        """Return SQL that finds the row of every key; one line for each row, the key before it."""
        find = statement(self.known.find)
        return "".join(  # the profile's own query; marks hold letters, digits and dashes alone
            f"SELECT '{key}', row_to_json(q) FROM ({find.replace(MARK_IN_SQL, quoted(one.mark))}) q;\n"  # noqa: S608
            for key, one in self.sent.items()
        )

    def live_row(self, key: str) -> Row:
        """Return the row of a key in the live database, empty where there is none.

        Raises:
            ProbeError: it cannot be asked.
        """
        one = self.sent[key]
        return (one.row or {}) if one.stored() else {}

    def clean_up(self) -> str:
        """Remove every row that is there by the product's own request, and return in words what was done."""
        if not self.known.clean_up:
            return f"its {len(self.sent)} rows stay: {self.known.not_cleaned}"
        left = list[str]()
        for one in self.sent.values():
            try:
                if one.stored():
                    one.clean_up()
            except ProbeError as why:
                left.append(why.message)
        return f"{len(left)} rows were not removed: {left[0]}" if left else "its rows were removed"


def live_history(known: Transaction, sql: Postgres, moment: dt.datetime) -> list[Row]:
    """Return what the live database holds from before a moment, the newest first.

    Raises:
        UndeclaredError: the profile has no query for it.
        ProbeError: the database cannot be asked.
    """
    if not known.before:
        raise UndeclaredError(
            f"nothing says which rows of {known.name} are older than a backup",
            "set before in [[transactions]]",
        )
    older = known.before.strip().rstrip(";")
    rows = sql.rows(f"SELECT row_to_json(q) AS found FROM ({older}) q", {"moment": moment})  # noqa: S608
    return [row["found"] for row in rows]


def history(known: Transaction, moment: dt.datetime) -> str:
    """Return SQL that lists what was written before a moment, one JSON object a line."""
    stamp = f"{moment:%Y-%m-%d %H:%M:%S.%f}+00"
    older = statement(known.before).replace(MOMENT_IN_SQL, quoted(stamp))
    return f"SELECT row_to_json(q) FROM ({older}) q;"  # noqa: S608 - the profile's own query


def statement(query: str) -> str:
    """Return a query of the profile without its end, and with the percent signs that it means."""
    return query.strip().rstrip(";").replace("%%", "%")


def quoted(value: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


@parsing("the restored ledger", "look at the restored database's pod")
def ledger_rows(printed: str) -> dict[str, list[Row]]:
    """Return key -> the rows that were found for it, from lines of key, tab, JSON.

    Raises:
        ProbeError: a line is not such a row.
    """
    found = dict[str, list[Row]]()
    for line in filter(None, printed.splitlines()):
        key, _, row = line.partition("\t")
        found.setdefault(key, []).append(_row(row))
    return found


@parsing("the restored rows", "look at the restored database's pod")
def json_rows(printed: str) -> list[Row]:
    """Return rows from lines of JSON.

    Raises:
        ProbeError: a line is not a JSON object.
    """
    return [_row(line) for line in filter(None, printed.splitlines())]


def _row(text: str) -> Row:
    row = json.loads(text)
    if not isinstance(row, dict):
        raise TypeError("a row is a JSON object")
    return row


def reading(commands: Iterable[Command], known: Transaction, row: Row) -> dict[str, str]:
    """Return the placeholders of the section's command that has the application show a row, with its values.

    Raises:
        StepError: no command of the section reads what the transaction reads.
    """
    command = next((one for one in commands if "--raw" in one.words), None)
    pattern = COLUMN.sub(r"<(?P<\1>[A-Z0-9_]+)>", re.escape(known.read)) + "$"
    found = re.search(pattern, command.words[-1]) if command else None
    if command is None or found is None:
        ref = command.ref if command else "the runbook's section"
        raise StepError(ref, f"does not read {known.read}, as [[transactions]] {known.name} does")
    return {place: str(row[column]) for column, place in found.groupdict().items() if column in row}


def shows(printed: str, values: Sequence[object]) -> bool:
    """Return whether the application's answer shows each of these values."""
    return bool(values) and all(str(value) in printed for value in values)
