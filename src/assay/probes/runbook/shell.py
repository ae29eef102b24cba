"""Shell lines taken apart into simple commands: continued lines, quotes, here-documents, loops."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay.errors import ProbeError
from assay.probes.runbook.markdown import Code


_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
SHELL, CONSOLE, UNCERTAIN = (frozenset(_WORDS["blocks"][name]) for name in ("shell", "console", "uncertain"))
SYSTEM, WRAPPERS, CONTROL, LISTS = (
    frozenset(_WORDS["words"][name]) for name in ("system", "wrappers", "control", "lists")
)
DANGEROUS = tuple(_WORDS["talosctl"]["dangerous"])
MAX_JOINED_LINES = 50
# What the reader fills in: as the procedures of this suite need it, and as others write it.
PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9]*(_[A-Z0-9]+)*>")
PLACE = re.compile(r"<[A-Za-z][\w .:/-]*>")
SEPARATORS = re.compile(r"[;&|()]+")
REDIRECT = re.compile(r"\d?(>>?|<)")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
# `$`, `root@ops:~#`, `[root@ops ~]#`, `(venv) me@ops %`, `PS C:\\>`, and what shells draw as arrows.
PROMPT = re.compile(
    r"^\s*(?:\([\w.-]+\)\s*)?"
    r"(?P<prompt>(?:\[[^\]\n]*\] ?|[\w.-]*[@:~/][\w@:~/.-]*(?: [~/][\w/.-]*)? ?|[\w.-]+)?"
    r"[$#%>\u276f\u279c]|PS[^>\n]*>)\s+"
)
HEREDOC = re.compile(r"<<-?\s*([\"']?)(?P<end>[A-Za-z_]\w*)\1")
SUBSTITUTION = re.compile(r"\$\((?!\()(?P<inner>[^()]*)\)|`(?P<ticks>[^`]*)`")
RESULT = "<RESULT>"  # what stands for the output of a command within another


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: `File path:line`, its words, files it reads from and writes to.

    `mentioned` is True where a text names it: words that it needs may be left out. `inside` is True for what
    another command starts in a container, behind `exec ... --`.
    """

    ref: str
    words: tuple[str, ...]
    stdin: str = ""
    stdout: str = ""
    mentioned: bool = False
    inside: bool = False

    @property
    def line(self) -> int:
        """Return the number of its line."""
        return int(self.ref.rpartition(":")[2])

    @property
    def tool(self) -> str:
        """Return the command's first word, without a folder."""
        return Path(self.words[0]).name


class Splitter:
    """Takes the code of one document apart; what cannot be split is handed to `unread`, with its place."""

    def __init__(
        self, name: str, tools: Callable[[str], bool], unread: Callable[[str, ProbeError], object]
    ) -> None:
        """Name places in the document `name`; `tools` says which words are tools that are judged."""
        self._name, self._tools, self._unread = name, tools, unread

    def commands(self, code: Code) -> Iterator[Command]:
        """Yield the simple commands of one piece of code."""
        for line, text in self._lines(code):
            yield from self._split(line, text, code)

    def _lines(self, code: Code) -> Iterator[tuple[int, str]]:
        """Yield (line, text) of each command line, continued lines joined, here-documents left out."""
        rows = code.text.splitlines()
        dollars = any(re.match(r"\s*\$ ", row) for row in rows)
        prompted = dollars or (code.language in CONSOLE and any(map(PROMPT.match, rows)))
        number = 0
        while number < len(rows):
            typed = self._typed(rows[number], dollars=dollars) if prompted else rows[number]
            if typed is None and not code.inline:
                number += 1  # what a command printed
                continue
            first, row = number, rows[number] if typed is None else typed
            row, number = _whole(row, rows, number + 1)
            for found in HEREDOC.finditer(row):
                ends = (at for at in range(number, len(rows)) if rows[at].strip() == found["end"])
                number = next(ends, len(rows)) + 1
            yield code.line + first, HEREDOC.sub("", row)

    def _typed(self, row: str, *, dollars: bool) -> str | None:
        """Return what stands behind a prompt; None if there is none, or if it is a remark between prompts."""
        prompt = PROMPT.match(row)
        if prompt is None:
            return None
        typed = row[prompt.end() :]
        remark = dollars and prompt["prompt"] == "#" and not self._tools((typed.split() or [""])[0])
        return None if remark else typed

    def _split(self, line: int, text: str, code: Code) -> Iterator[Command]:
        ref = f"File {self._name}:{line}"
        for inner in _substituted(text):
            yield from self._split(line, inner, code)
        lexer = shlex.shlex(
            re.sub(r"\d?>&\d", "", SUBSTITUTION.sub(RESULT, text)), posix=True, punctuation_chars=";&|()"
        )
        lexer.whitespace_split = True
        try:
            tokens = list(lexer)
        except ValueError as error:
            if code.language in SHELL or self._tools(Path((text.split() or [""])[0]).name):
                problem = ProbeError(
                    f"{self._name}:{line}: cannot be split into words ({error})", "close the quotes"
                )
                self._unread(ref, problem)
            return
        words: list[str] = []
        for token in [*tokens, ";"]:
            if not SEPARATORS.fullmatch(token):
                words.append(token)
                continue
            yield from self._simple(ref, words, code)
            words = []

    def _simple(self, ref: str, words: Sequence[str], code: Code) -> Iterator[Command]:
        kept, stdin, stdout = _redirected(_bare(words))
        kept = self._unwrapped(kept)
        if not kept or kept[0] in LISTS:
            return
        shown = code.language in CONSOLE and any(map(PROMPT.match, code.text.splitlines()))
        certain = (code.language in SHELL or shown) and not code.inline
        known = self._tools(Path(kept[0]).name) and (len(kept) > 1 or not code.inline)
        if not (certain or known):
            return
        yield Command(ref, tuple(kept), stdin, stdout, code.inline)
        if "exec" in kept and "--" in kept:
            inner = self._simple(ref, kept[kept.index("--") + 1 :], code)
            yield from (replace(one, inside=True) for one in inner)

    def _unwrapped(self, words: list[str]) -> list[str]:
        """Return the command that a wrapper such as sudo or watch starts; the words where there is none."""
        if not words or words[0] not in WRAPPERS:
            return words
        rest = [part for word in words[1:] for part in (word.split() if " " in word else [word])]
        start = (n for n, word in enumerate(rest) if self._tools(Path(word).name) or word in SYSTEM)
        first = next(start, None)
        return words if first is None else self._unwrapped(_bare(rest[first:]))


def _whole(row: str, rows: Sequence[str], number: int) -> tuple[str, int]:
    """Return a line with those that continue it, by a backslash or within quotes, and the next one's number.

    Quotes that nothing closes are one line's own fault.
    """
    start, joined = number, row
    while number < len(rows) and number - start < MAX_JOINED_LINES:
        if joined.endswith("\\"):
            joined = f"{joined[:-1].rstrip()} {rows[number].strip()}"
        elif _open(joined):
            joined = f"{joined}\n{rows[number]}"
        else:
            break
        number += 1
    return (row, start) if _open(joined) else (joined, number)


def _open(row: str) -> bool:
    """Return whether a quote is opened in a text and not closed."""
    try:
        shlex.split(row, comments=True)
    except ValueError as error:
        return "quotation" in str(error)
    return False


def _substituted(text: str) -> list[str]:
    """Return the commands whose output stands within another."""
    return [found["inner"] or found["ticks"] or "" for found in SUBSTITUTION.finditer(text)]


def _bare(words: Sequence[str]) -> list[str]:
    """Return the words of a command without variables set for it and words that hold commands together."""
    start = next(
        (n for n, word in enumerate(words) if not (ASSIGNMENT.fullmatch(word) or word in CONTROL)), len(words)
    )
    return list(words[start:])


def _redirected(words: list[str]) -> tuple[list[str], str, str]:
    """Return the words without redirections, the file that standard input comes from, that output goes to."""
    kept: list[str] = []
    files = {"<": "", ">": ""}
    sign = ""
    for word in words:
        if sign:
            files[sign], sign = word, ""
        elif REDIRECT.fullmatch(word):
            sign = "<" if word.endswith("<") else ">" if word[0] == ">" else "2>"
        elif (glued := re.match(r"(\d?)>+(.*)", word)) or (word[0:1] == "<" and not PLACE.match(word)):
            files["<" if not glued else "2>" if glued[1] else ">"] = glued[2] if glued else word[1:]
        else:
            kept.append(word)
    return kept, files["<"], files[">"]
