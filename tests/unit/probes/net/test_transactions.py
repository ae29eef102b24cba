"""A marked transaction against an API and a database that say what a test wants."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.config.loader import load_profile
from assay.config.transactions import Transaction
from assay.errors import ProbeError, ProfileError
from assay.probes.net.http import Reply
from assay.probes.net.transactions import MarkedTransaction


ORDER = Transaction(
    name="order",
    path="/orders",
    find="SELECT id FROM orders WHERE mark = %(mark)s",
    body='{"mark": "{mark}"}',
    confirms={"order.id": "id"},
    read="/orders/{row.id}",
    clean_up="DELETE /orders/{answer.order.id}",
)


class Product:
    """An API with its database; a test says where they differ."""

    def __init__(self, **lies: Any) -> None:  # noqa: ANN401 - one of several
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.lies = lies

    def send(self, method: str, path: str, _headers: Any, body: bytes = b"", content: str = "") -> Reply:  # noqa: ANN401
        self.asked.append(f"{method} {path} {content}".strip())
        if method == "DELETE":
            if not self.lies.get("keeps"):
                self.rows = {}
            return reply(self.lies.get("deleted", 204))
        mark = json.loads(body)["mark"]
        if not self.lies.get("forgets"):
            self.rows[mark] = {"id": 7}
        return reply(201, {"order": {"id": self.lies.get("says", 7)}})

    def get(self, path: str, _headers: Any = None) -> Reply:  # noqa: ANN401
        self.asked.append(f"GET {path}")
        return reply(200, {"mark": self.lies.get("shows", next(iter(self.rows), ""))})

    def marked(self, _find: str, mark: str) -> dict[str, Any] | None:
        return self.rows.get(mark)


def reply(status: int, body: object = None) -> Reply:
    raw = b"" if body is None else json.dumps(body).encode()
    return Reply("https://api.example/orders", status, len(raw), 0.1, "POST", raw)


def made(product: Product, known: Transaction = ORDER) -> MarkedTransaction:
    return MarkedTransaction(known, product, product)  # type: ignore[arg-type]


def test_a_transaction_is_sent_found_read_back_and_removed() -> None:
    product = Product()
    one = made(product)
    assert not one.stored()
    assert one.send().status == 201
    assert one.stored()
    assert one.faults() == []
    one.clean_up()
    assert product.asked == ["POST /orders application/json", "GET /orders/7", "DELETE /orders/7"]
    assert product.rows == {}


def test_no_two_have_one_mark() -> None:
    assert made(Product()).mark != made(Product()).mark


def test_another_row_and_another_mark_are_seen() -> None:
    one = made(Product(says=8, shows="another"))
    one.send()
    assert one.stored()
    assert one.faults() == [
        "confirmed another id than the database has",
        "reading it back answers 200, or another mark",
    ]


def test_what_is_confirmed_and_not_stored_is_seen() -> None:
    one = made(Product(forgets=True))
    assert one.send().status == 201
    assert not one.stored()


@pytest.mark.parametrize("lies", [{"deleted": 403}, {"keeps": True}])
def test_a_clean_up_that_leaves_something_is_an_error_with_the_mark(lies: dict[str, object]) -> None:
    one = made(Product(**lies))
    one.send()
    one.stored()
    with pytest.raises(ProbeError, match=one.mark):
        one.clean_up()


def test_without_a_clean_up_nothing_is_sent() -> None:
    product = Product()
    one = made(product, replace(ORDER, clean_up="", not_cleaned="never"))
    one.send()
    one.clean_up()
    assert product.asked == ["POST /orders application/json"]


def test_a_place_that_nothing_fills_is_an_error() -> None:
    one = made(Product(), replace(ORDER, read="/orders/{row.uuid}"))
    one.send()
    one.stored()
    with pytest.raises(ProbeError, match=r"row\.uuid"):
        one.faults()


def test_values_cannot_leave_their_place_in_a_path() -> None:
    product = Product()
    one = made(product)
    one.send()
    one.row = {"id": "../admin?x=1"}
    one.faults()
    assert product.asked[-1] == "GET /orders/..%2Fadmin%3Fx%3D1"


BAD = {
    "no mark in the query": ({"find": "SELECT 1"}, "find must look for"),
    "no mark in the request": ({"body": "{}"}, "must hold {mark}"),
    "nothing about removing it": ({"clean_up": ""}, "clean_up must say"),
    "a clean up that is not a request": ({"clean_up": "delete it"}, "method and a path"),
}


@pytest.mark.parametrize(("changed", "why"), BAD.values(), ids=BAD)
def test_a_transaction_that_cannot_work_is_refused_with_the_profile(
    tmp_path: Path, changed: dict[str, str], why: str
) -> None:
    values = {
        "name": "o",
        "path": "/o",
        "find": "%(mark)s",
        "body": "{mark}",
        "clean_up": "DELETE /o",
        **changed,
    }
    rows = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    file = tmp_path / "stack.toml"
    file.write_text(f'[stack]\nname = "x"\nkind = "staging"\n[[transactions]]\n{rows}')
    with pytest.raises(ProfileError, match=why):
        load_profile(file)
