"""A commented profile made of the example: what was found takes the place of the example's values.

The example explains every key, so what init writes explains it too; a key that nothing was found for stays
as a comment, and so does a value that is an expectation: only the platform's owner can say it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assay.errors import ProbeError
from assay.formats.parsing import WRONG


Value = str | float | bool | Sequence[str] | Mapping[str, str]
HEADER = re.compile(r"^(\[\[?)([^\]]+)\]\]?")
KEY = re.compile(r"^(# )?([\w-]+) = ")
COMMENT = re.compile(r"\s+# ")
WISH = ", to be confirmed by you"
GAP = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """A value for one key of the profile.

    Attributes:
        value: text, number, truth, list of texts or table of texts.
        source: where it was found, as a reader would look there.
        proposed: it is an expectation, so it is written as a comment for the owner to decide.
    """

    value: Value
    source: str
    proposed: bool = False


@dataclass(slots=True)
class Findings:
    """What was found: `section.key` -> value, and `section` -> entries of a list of tables."""

    keys: dict[str, Finding] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Finding]]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def put(self, key: str, value: Value, source: str, *, proposed: bool = False) -> None:
        """Note a value for `section.key`; an empty one is no finding, and the first one stays."""
        if value not in ("", (), [], {}):
            self.keys.setdefault(key, Finding(value, source, proposed))


def note_misses(what: str, ask: Callable[[], None], found: Findings) -> None:
    """Ask one question; where it fails, note what was not found and why."""
    try:
        ask()
    except ProbeError as problem:
        found.missed.append(f"{what}: {problem.message}")
    except WRONG as problem:
        found.missed.append(f"{what}: unexpected answer ({type(problem).__name__})")


def render(example: str, found: Findings) -> str:
    """Return the example's text with what was found in it.

    Args:
        example: `stacks/example.toml`.
        found: values by key, and entries by list of tables.
    """
    lines: list[str] = []
    written: set[str] = set()
    for name, is_list, block in _blocks(example.splitlines()):
        if not is_list:
            lines += list(_table(name, block, found))
        elif name not in written:
            written.add(name)
            lines += list(_entries(name, block, found.tables.get(name, [])))
    return "\n".join(lines).rstrip() + "\n"


def toml_value(value: Value) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, str | float | bool):
        return json.dumps(value, ensure_ascii=False)
    return "[" + ", ".join(toml_value(one) for one in value) + "]"


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, bool, list[str]]]:
    """Yield (section, whether it is an entry of a list, its lines with the header) from top to bottom."""
    name, is_list, block = "", False, list[str]()
    for line in lines:
        if head := HEADER.match(line):
            yield name, is_list, block
            name, is_list, block = head[2], head[1] == "[[", []
        block.append(line)
    yield name, is_list, block


def _table(name: str, block: Sequence[str], found: Findings) -> Iterator[str]:
    """Yield the lines of one section: found keys with their values, all others as comments."""
    whole = found.keys.get(name)
    if whole is not None and isinstance(whole.value, Mapping):
        mark, wish = ("# ", WISH) if whole.proposed else ("", "")
        yield f"{block[0]}{' ' * GAP}# from {whole.source}{wish}"
        yield from (f"{mark}{json.dumps(key)} = {toml_value(one)}" for key, one in whole.value.items())
        yield ""
        return
    rest = iter(block)
    for line in rest:
        key = KEY.match(line)
        if key is None:
            yield line
            continue
        entry = [line]
        while entry[-1].count("[") > entry[-1].count("]") or (len(entry) > 1 and entry[-1].strip() != "]"):
            entry.append(next(rest))
        yield from _key(f"{name}.{key[2]}", entry, found.keys.get(f"{name}.{key[2]}"))


def _key(dotted: str, entry: Sequence[str], found: Finding | None) -> Iterator[str]:
    name = dotted.rpartition(".")[2]
    if found is None:
        yield from (line if line.startswith("#") else f"# {line}" for line in entry)
        return
    parts = COMMENT.split(entry[0], maxsplit=1)
    explained = f"; {parts[1]}" if len(parts) > 1 else ""
    mark, wish = ("# ", WISH) if found.proposed else ("", "")
    yield f"{mark}{name} = {toml_value(found.value)}{' ' * GAP}# from {found.source}{wish}{explained}"


def _entries(name: str, block: Sequence[str], entries: Sequence[Mapping[str, Finding]]) -> Iterator[str]:
    if not entries:
        yield from (line if line.startswith("#") or not line else f"# {line}" for line in block)
        return
    for entry in entries:
        yield f"[[{name}]]"
        yield from (line for key, found in entry.items() for line in _key(f"{name}.{key}", [""], found))
        yield ""
