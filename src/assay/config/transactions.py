"""The profile's `[[transactions]]`: a request for each product path, how it is found and removed again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


MARK_IN_SQL, MOMENT_IN_SQL = "%(mark)s", "%(moment)s"
CREATED = 201.0
CLEAN_UP = re.compile(r"[A-Z]+ /\S*")


@dataclass(frozen=True, slots=True)
class Transaction:
    """One product path: a request that stores something, and how to find it past the product (DEP-13).

    `{mark}` stands for a new mark, `{row.COLUMN}` for a column of the row that `find` found, `{answer.FIELD}`
    for a field of the JSON answer.

    Attributes:
        name: of the product path.
        path: where the request goes, below [api] url.
        find: the SQL query that finds the row with `%(mark)s`; none or one row.
        before: the SQL query that lists rows written before `%(moment)s`, the newest first, at most some
            thousand; the columns that `read` names and one that it shows. DR-08 compares by it what the
            oldest backup brings back.
        method: of the request.
        headers: a file with what it carries beside those of [api].
        body: what it sends.
        content_type: of the body.
        status: the status of a success.
        confirms: field of the JSON answer -> column of the row with the same value.
        read: a path that must answer 200 and show the mark; empty: it is not read back through the product.
        clean_up: the request that removes it, for example `DELETE /orders/{row.id}`.
        not_cleaned: why it cannot be removed, where there is no such request.
    """

    name: str
    path: str
    find: str
    before: str = ""
    method: str = "POST"
    headers: Path | None = None
    body: str = ""
    content_type: str = "application/json"
    status: float | None = CREATED
    confirms: Mapping[str, str] = field(default_factory=dict)
    read: str = ""
    clean_up: str = ""
    not_cleaned: str = ""

    def fault(self) -> str:
        """Return what is missing or contradictory, empty if nothing is."""
        if MARK_IN_SQL not in self.find:
            return f"find must look for {MARK_IN_SQL}"
        if self.before and MOMENT_IN_SQL not in self.before:
            return f"before must list rows older than {MOMENT_IN_SQL}"
        if "{mark}" not in f"{self.path} {self.body}":
            return "path or body must hold {mark}"
        if not self.clean_up and not self.not_cleaned:
            return "clean_up must say how it is removed, or not_cleaned why it cannot be"
        if self.clean_up and not CLEAN_UP.fullmatch(self.clean_up):
            return "clean_up must be a method and a path, for example DELETE /orders/{row.id}"
        return ""
