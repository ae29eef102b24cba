"""Read a TOML table with a closed set of keys.

Every complaint is one line: the file, the key, what was expected.
"""

from __future__ import annotations

import datetime
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assay.errors import AssayError


LARGEST = 1_000_000


def read_toml(path: Path, error: type[AssayError]) -> dict[str, Any]:
    """Return the TOML document in `path`.

    Raises:
        AssayError: of the class `error`: missing, unreadable, longer than `LARGEST` bytes, or not TOML.
    """
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise error(
            f"{path}: cannot be read: {problem.strerror}", "name a TOML file that exists"
        ) from problem
    return parse_toml(raw, str(path), error)


def parse_toml(raw: bytes, where: str, error: type[AssayError]) -> dict[str, Any]:
    """Return the TOML document in `raw`, called `where` in complaints.

    Raises:
        AssayError: of the class `error`: longer than `LARGEST` bytes, or not TOML.
    """
    if len(raw) > LARGEST:
        raise error(f"{where}: {len(raw)} bytes, more than {LARGEST}", "it must be a short file")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise error(
            f"{where}: not valid TOML: {problem}".replace("\n", " "), "fix the line named here"
        ) from problem


class Table:
    """One TOML table; the keys read are the keys known, and `close` refuses all others."""

    def __init__(self, where: str, values: object, error: type[AssayError], base: Path) -> None:
        """Wrap `values`, called `where` in complaints of class `error`; relative paths start at `base`."""
        self.where = where
        self.error = error
        self.base = base
        self.known: set[str] = set()
        if not isinstance(values, Mapping):
            raise error(
                f"{where}: must be a table, is {type(values).__name__}", "write it as [section] with keys"
            )
        self.values: Mapping[str, Any] = values

    def complain(self, key: str, expected: str) -> AssayError:
        """Return the complaint that `key` is not what was `expected`; the value itself is never shown."""
        return self.error(f"{self.where}: {key} must be {expected}", "fix it in that file")

    def take(self, key: str) -> Any:  # noqa: ANN401 - a TOML value is anything until it was looked at
        """Return the raw value of `key`, None where there is none, and count the key as known."""
        self.known.add(key)
        return self.values.get(key)

    def text(self, key: str, default: str = "") -> str:
        """Return a string, `default` where the key is absent."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.complain(key, "text")
        return value

    def needed(self, key: str) -> str:
        """Return a string that must be there and not be blank."""
        value = self.text(key)
        if not value.strip():
            raise self.complain(key, "given, as text")
        return value

    def number(self, key: str) -> float:
        """Return a number that must be there."""
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.complain(key, "a number")
        return float(value)

    def flag(self, key: str) -> bool:
        """Return true or false; false where the key is absent."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            raise self.complain(key, "true or false")
        return bool(value)

    def day(self, key: str) -> datetime.date:
        """Return a date that must be there, written as 2026-01-31 without quotes."""
        value = self.take(key)
        if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
            raise self.complain(key, "a date such as 2026-01-31, without quotes")
        return value

    def moment(self, key: str) -> datetime.datetime:
        """Return a time that must be there, with its offset: 2026-01-31T22:00:00Z without quotes."""
        value = self.take(key)
        if not isinstance(value, datetime.datetime) or value.tzinfo is None:
            raise self.complain(key, "a time with its offset such as 2026-01-31T22:00:00Z, without quotes")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; empty where the key is absent."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self.complain(key, "a list of texts")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str]:
        """Return a table of strings; empty where the key is absent."""
        value = self.take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(entry, str) for entry in value.values()):
            raise self.complain(key, "a table of texts")
        return dict(value)

    def path(self, key: str, default: str = "") -> Path | None:
        """Return a path, made absolute from the file's own folder.

        None where the key is absent and no default is given.
        """
        value = self.text(key, default)
        return self.base.joinpath(Path(value).expanduser()).absolute() if value else None

    def paths(self, key: str) -> tuple[Path, ...]:
        """Return a list of paths, made absolute from the file's own folder; one may stand without a list."""
        value = self.take(key)
        texts = (value,) if isinstance(value, str) and value else self.texts(key)
        return tuple(self.base.joinpath(Path(text).expanduser()).absolute() for text in texts)

    def named_paths(self, key: str) -> dict[str, Path]:
        """Return a table of paths, made absolute from the file's own folder; empty where it is absent."""
        return {
            name: self.base.joinpath(Path(value).expanduser()).absolute()
            for name, value in self.mapping(key).items()
        }

    def table(self, key: str) -> Table:
        """Return the table below `key`; an empty one where the key is absent."""
        return Table(f"{self.where} [{key}]", self.take(key) or {}, self.error, self.base)

    def tables(self, key: str) -> list[Table]:
        """Return the list of tables below `key`, as [[key]] writes them."""
        value = self.take(key)
        if value is not None and not isinstance(value, list):
            raise self.complain(key, f"a list of tables, written [[{key}]]")
        entries: Iterable[object] = value or []
        return [
            Table(f"{self.where} [[{key}]] {n}", entry, self.error, self.base)
            for n, entry in enumerate(entries, 1)
        ]

    def close(self) -> None:
        """Refuse every key that nobody asked for, and name the nearest one that exists."""
        for key in self.values:
            if key not in self.known:
                near = difflib.get_close_matches(key, self.known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(self.known))}"
                raise self.error(f"{self.where}: unknown key {key!r}", hint)
