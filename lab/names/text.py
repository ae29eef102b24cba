"""Replace the reference platform's names in text, by phrases.

A phrase (`phrases.toml`) is literal text with places in it: `{Kind.name}` is that one name, `<Kind>` any name
of the kind. Those under `*` are unambiguous and tried on every file; those of one file must occur in it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache

from lab.names import DEFAULT, FOLDER, Names, load


EVERYWHERE = "*"
PLACE = re.compile(r"\{([A-Z]\w+)\.([^{}\n]+)\}|<([A-Z][a-z]\w*)>")
WORD = "[A-Za-z0-9-]"


class PhraseError(RuntimeError):
    """A phrase that no longer occurs in its file: the source has changed and the phrase must follow."""


@cache
def phrases() -> Mapping[str, list[str]]:
    """Return the phrases of every file, by its path in the project."""
    read: Mapping[str, list[str]] = tomllib.loads((FOLDER / "phrases.toml").read_text(encoding="utf-8"))
    return read


@cache
def _pattern(phrase: str) -> tuple[re.Pattern[str], tuple[tuple[str, str], ...]]:
    """Return what matches a phrase, and of each place its kind and name (empty: whatever name matched)."""
    places, pattern, at = [], "", 0
    for place in PLACE.finditer(phrase):
        kind, name = place[1] or place[3], place[2] or ""
        pattern += (
            re.escape(phrase[at : place.start()]) + f"({_alternatives(kind, name, place.start() == 0)})"
        )
        places.append((kind, name))
        at = place.end()
    pattern += re.escape(phrase[at:])
    after = f"(?!{WORD})" if re.search(r"[\w}>]$", phrase) else ""
    return re.compile(pattern + after), tuple(places)


def _alternatives(kind: str, name: str, first: bool) -> str:
    """Return a pattern for the reference names; `first` in a phrase, one must begin a word if it can."""
    reference = load(DEFAULT)
    known = [reference.of(kind, name)] if name else sorted(reference.tables[kind], key=len, reverse=True)
    return "|".join((f"(?<!{WORD})" if first and one[0].isalnum() else "") + re.escape(one) for one in known)


def _replaced(text: str, phrase: str, names: Names) -> tuple[str, int]:
    pattern, places = _pattern(phrase)

    def new(match: re.Match[str]) -> str:
        made, at = "", match.start()
        for number, (kind, name) in enumerate(places, 1):
            made += text[at : match.start(number)] + names.of(kind, name or match[number])
            at = match.end(number)
        return made + text[at : match.end()]

    return pattern.subn(new, text)


def renamed(text: str, names: Names, file: str = EVERYWHERE, seen: set[str] | None = None) -> str:
    """Return `text` with the names replaced in every phrase of `file` and every unambiguous one.

    Args:
        text: written with the reference names.
        names: the names to write instead.
        file: its path in the project.
        seen: collects the phrases that occurred, for `complain`.
    """
    for phrase in (*phrases().get(file, ()), *phrases()[EVERYWHERE]):
        text, count = _replaced(text, phrase, names)
        if count and seen is not None:
            seen.add(phrase)
    return text


def complain(file: str, seen: set[str]) -> None:
    """Check that every phrase of a file has occurred.

    Raises:
        PhraseError: one has not.
    """
    for phrase in phrases().get(file, ()):
        if phrase not in seen:
            raise PhraseError(f"{file}: {phrase!r} does not occur; correct lab/names/phrases.toml")
