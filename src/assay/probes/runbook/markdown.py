"""The code in a Markdown document: blocks of any kind, quoted, indented or in lists, and inline."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from assay.errors import ProbeError


PRE = re.compile(r"<pre\b[^>]*>(?P<text>.*?)</pre>", re.DOTALL | re.IGNORECASE)
TAG = re.compile(r"<[^>]+>")
FENCE = re.compile(r"^[ >\t]*(?:[-*+]\s|\d+[.)]\s)*\s*(?P<sign>`{3,}|~{3,})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Code:
    """One piece of code: the number of its first line, its lines, its language; `inline` within a text."""

    line: int
    text: str
    language: str = ""
    inline: bool = False


def code_in(written: str, name: str) -> list[Code]:
    """Return all code of a Markdown document, in order.

    Args:
        written: the document.
        name: its name, for messages.

    Raises:
        ProbeError: a fence is not closed, so that half of the page would read as code.
    """
    tokens = MarkdownIt("commonmark").enable("table").parse(written)
    lines = written.splitlines()
    for token in tokens:
        if token.type == "fence" and token.map and not _closed(token, lines):
            raise ProbeError(
                f"{name}:{token.map[0] + 1}: a fence is not closed",
                "close it, or half of the page reads as code",
            )
    return [code for at, token in _placed(tokens) for code in _of_token(at, token)]


def _closed(token: Token, lines: list[str]) -> bool:
    last = lines[token.map[1] - 1] if token.map and token.map[1] <= len(lines) else ""
    found = FENCE.match(last)
    alone = token.map is not None and token.map[1] - token.map[0] > 1
    return alone and found is not None and found["sign"].startswith(token.markup[0] * len(token.markup))


def _placed(tokens: list[Token]) -> Iterator[tuple[int, Token]]:
    """Yield each token with its first line; one without a place of its own is in the row that began last."""
    at = 1
    for token in tokens:
        at = token.map[0] + 1 if token.map else at
        yield at, token


def _of_token(at: int, token: Token) -> Iterator[Code]:
    if token.type == "fence":
        language = (token.info.strip().split() or [""])[0].strip("{}.").lower()
        yield Code(at + 1, token.content, language)
    elif token.type == "code_block":
        yield Code(at, token.content)
    elif token.type == "html_block":
        for found in PRE.finditer(token.content):
            first = at + token.content.count("\n", 0, found.start("text"))
            yield Code(first, html.unescape(TAG.sub("", found["text"])))
    elif token.type == "inline":
        for child in token.children or ():
            at += child.type in ("softbreak", "hardbreak")
            if child.type == "code_inline":
                yield Code(at, child.content, inline=True)
