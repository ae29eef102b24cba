"""A marked transaction: sent by the public name, found in the database past the product, removed again."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from assay.config.transactions import Transaction
from assay.errors import ProbeError
from assay.probes.net.http import Reply, WritingHttp
from assay.probes.postgres import Postgres


PLACE = re.compile(r"\{(mark|row\.\w+|answer\.[\w.]+)\}")
OK = 200
GONE = frozenset({200, 202, 204, 404})


class MarkedTransaction:
    """One transaction of the profile with a mark of its own."""

    def __init__(self, known: Transaction, http: WritingHttp, sql: Postgres, mark: str = "") -> None:
        """Send by `http`, look by `sql`; nothing is sent yet. Without a `mark` it gets a new one."""
        self.known, self._http, self._sql = known, http, sql
        self.mark = mark or f"assay-{secrets.token_hex(12)}"
        self.row: Mapping[str, Any] | None = None
        self._answer: Mapping[str, object] = {}

    @property
    def ref(self) -> str:
        """Return `Transaction name`."""
        return f"Transaction {self.known.name}"

    def stored(self) -> bool:
        """Return whether the database has a row with the mark now.

        Raises:
            ProbeError: it cannot be asked, or has several.
        """
        self.row = self._sql.marked(self.known.find, self.mark)
        return self.row is not None

    def send(self) -> Reply:
        """Send the request, once.

        Raises:
            ProbeError: no reply, so nothing is known about what was done.
        """
        one = self.known
        body = _filled(one.body, {"mark": self.mark}, json_text).encode()
        path = _filled(one.path, {"mark": self.mark}, as_path)
        sent = self._http.send(one.method, path, one.headers, body, one.content_type)
        self._answer = sent.fields
        return sent

    def faults(self) -> list[str]:
        """Return where the product differs from the row that was found: by its answer, or read back.

        Raises:
            ProbeError: it cannot be read back, or a field that the profile names is not there.
        """
        found = self.differing(self.row or {})
        if self.known.read:
            back = self._http.get(self._path(self.known.read), self.known.headers)
            if back.status != OK or self.mark.encode() not in back.body:
                found.append(f"reading it back answers {back.status}, or another mark")
        return found

    def differing(self, row: Mapping[str, Any]) -> list[str]:
        """Return the columns of a row that are other than the answer confirmed, in words."""
        return [
            f"confirmed another {column} than the database has"
            for field, column in self.known.confirms.items()
            if str(_at(self._answer, field)) != str(row.get(column))
        ]

    def clean_up(self) -> None:
        """Remove what was stored by the product's own request; nothing where the profile has none.

        Raises:
            ProbeError: the request was refused, or the row is still there.
        """
        method, _, path = self.known.clean_up.partition(" ")
        if not path:
            return
        gone = self._http.send(method, self._path(path), self.known.headers)
        by_hand = f"remove the row with the mark {self.mark}"
        if gone.status not in GONE:
            raise ProbeError(f"{gone.ref}: cleaning up answers {gone.status}", by_hand)
        if self.stored():
            raise ProbeError(f"{gone.ref}: answers {gone.status}, and the row is still there", by_hand)

    def _path(self, template: str) -> str:
        known: dict[str, object] = {"mark": self.mark}
        known |= {f"row.{column}": value for column, value in (self.row or {}).items()}
        for name in PLACE.findall(template):
            if name.startswith("answer."):
                known[name] = _at(self._answer, name.removeprefix("answer."))
        return _filled(template, known, as_path)


def as_path(value: str) -> str:
    """Return a text as it stands in one segment of a path."""
    return quote(value, safe="")


def json_text(value: str) -> str:
    """Return a text as it stands inside the quotes of a JSON text."""
    return json.dumps(value)[1:-1]


def _filled(template: str, known: Mapping[str, object], written: Callable[[str], str]) -> str:
    missing = [name for name in PLACE.findall(template) if name not in known or known[name] is None]
    if missing:
        raise ProbeError(
            f"nothing is known for {{{missing[0]}}}", "check find and answer in [[transactions]]"
        )
    return PLACE.sub(lambda match: written(str(known[match.group(1)])), template)


def _at(answer: Mapping[str, object], dotted: str) -> object:
    """Return the field of a JSON object at `a.b`, None where there is none."""
    value: object = answer
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
