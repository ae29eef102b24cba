"""The ledger of a database's restore: the profile's own queries, asked of what came back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.config.profile import Profile
from assay.config.transactions import Transaction
from assay.drills.restore.postgres import changed
from assay.drills.restore.procedure import StepError
from assay.drills.restore.sql_ledger import (
    SqlLedger,
    history,
    json_rows,
    ledger_rows,
    live_history,
    reading,
    shows,
)
from assay.drills.workload.verdict import FAIL, INFO, OK
from assay.errors import ProbeError, UndeclaredError
from assay.probes.net.http import Reply
from assay.probes.runbook.shell import Command


PURCHASE = Transaction(
    "purchase", "/v2/purchases", "SELECT no FROM purchases WHERE ref = %(mark)s AND kind LIKE 'a%%';",
    before="SELECT no, ref FROM purchases WHERE made < %(moment)s", body='{"ref": "{mark}"}',
    confirms={"number": "no"}, read="/v2/purchases/{row.no}", not_cleaned="they are kept",
)  # fmt: skip
MOMENT = dt.datetime(2026, 11, 24, 4, 0, tzinfo=dt.UTC)
RAW = Command("File r.md:9", ("kubectl", "get", "--raw", "/proxy/v2/purchases/<PURCHASE>"))


class Api:
    """The public API: the answers in their order, None for none."""

    def __init__(self, *statuses: int | None) -> None:
        self._statuses = list(statuses)
        self.bodies: list[bytes] = []

    def send(self, _method: str, _path: str, _headers: object, body: bytes, _type: str) -> Reply:
        self.bodies.append(body)
        status = self._statuses.pop(0)
        if status is None:
            raise ProbeError("no reply", "ask again")
        return Reply("u", status, 1, 0.1, "POST", b'{"number": 7}')


def ledger(*statuses: int | None) -> SqlLedger:
    sql = SimpleNamespace(rows=lambda query, values: [{"found": {"query": query, **values}}])
    return SqlLedger(PURCHASE, Api(*statuses), sql, "r1")  # type: ignore[arg-type]


def test_each_key_is_one_transaction_with_its_own_mark() -> None:
    one = ledger(201, None, 400, 503)
    assert [one.write(f"w0-{n}") for n in range(4)] == [OK, INFO, FAIL, INFO]
    assert one.http.bodies[0] == b'{"ref": "assay-r1-w0-0"}'  # type: ignore[attr-defined]
    asked = one.questions().splitlines()
    assert asked[0] == (
        "SELECT 'w0-0', row_to_json(q) FROM (SELECT no FROM purchases WHERE ref = 'assay-r1-w0-0' "
        "AND kind LIKE 'a%') q;"
    )
    assert len(asked) == 4


def test_rows_are_read_by_key_and_compared_with_what_was_confirmed() -> None:
    one = ledger(201, 201)
    one.write("w0-1")
    one.write("w0-2")
    kept = ledger_rows('w0-1\t{"no": 7}\nw0-2\t{"no": 8}\nw0-2\t{"no": 7}\n')
    assert {key: len(rows) for key, rows in kept.items()} == {"w0-1": 1, "w0-2": 2}
    assert [row.ref for row in changed(one, kept)] == ["Row w0-2"]
    assert one.clean_up() == "its 2 rows stay: they are kept"


@pytest.mark.parametrize("text", ["w0-1", "w0-1\t[]", "w0-1\t{"])
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ProbeError):
        ledger_rows(text)
    with pytest.raises(ProbeError):
        json_rows(text)


def test_history_is_asked_alike_of_both_databases() -> None:
    live = live_history(PURCHASE, ledger().sql, MOMENT)
    assert live[0]["moment"] == MOMENT
    assert "made < '2026-11-24 04:00:00.000000+00'" in history(PURCHASE, MOMENT)
    with pytest.raises(UndeclaredError, match="older than a backup"):
        live_history(Transaction("x", "/x", "SELECT %(mark)s"), ledger().sql, MOMENT)


def test_the_runbooks_own_placeholder_gets_the_rows_column() -> None:
    assert reading([RAW], PURCHASE, {"no": 7}) == {"PURCHASE": "7"}
    for words in (("kubectl", "get", "--raw", "/proxy/v2/items/<ID>"), ("kubectl", "get", "pod")):
        with pytest.raises(StepError, match="does not read /v2/purchases"):
            reading([Command("File r.md:9", words)], PURCHASE, {"no": 7})


def test_an_answer_shows_every_value() -> None:
    assert shows('{"no": 7, "ref": "a"}', [7, "a"])
    assert not shows('{"no": 7}', [7, "a"])
    assert not shows("anything", [])


def test_without_a_transaction_there_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(UndeclaredError, match="no transaction is declared"):
        SqlLedger.from_profile(Profile(file=tmp_path / "s.toml", name="n", kind="staging"), "r1")
