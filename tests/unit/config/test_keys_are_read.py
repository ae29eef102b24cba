"""Each key of a profile is read by something: a key that nothing reads promises what nobody keeps."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

from assay.config.profile import Profile


ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "src" / "assay" / "config"


def sources() -> str:
    """Return every line of the library and of the tests that may read a profile."""
    files = [
        path for folder in ("src/assay", "acceptance", "violations") for path in (ROOT / folder).rglob("*.py")
    ]
    # What the profile's own classes compute from a field (`nodes`, `owner`) reads it; the loader does not.
    return "\n".join(path.read_text(encoding="utf-8") for path in files if path.name != "loader.py")


def keys(kind: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (section, key) of every key below a dataclass, inner tables and lists of tables included."""
    hints = typing.get_type_hints(kind)
    for one in fields(kind):
        hint = hints[one.name]
        inner = [part for part in (hint, *typing.get_args(hint)) if isinstance(part, type)]
        tables = [part for part in inner if is_dataclass(part)]
        for table in tables:
            yield from keys(table, one.name)
        if not tables:
            yield prefix, one.name


KEYS = sorted(set(keys(Profile)))


def test_every_key_is_read() -> None:
    """As an attribute that is not only set, or by its name, as need_text asks."""
    text = sources()
    attributes = set(re.findall(r"\.(\w+)\b(?!\s*=[^=])", text))
    unread = [
        f"[{section}] {key}"
        for section, key in KEYS
        if key not in attributes and f"{section}.{key}" not in text and f'"{key}"' not in text
    ]
    assert KEYS
    assert not unread
