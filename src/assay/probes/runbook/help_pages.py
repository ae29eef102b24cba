"""Command lines judged by the help page of their very subcommand, for tools that print one (vault, openssl).

Both print a page for whatever they are asked, and vault exits 0 with the parent's page for a subcommand that
is none: a page counts only if its usage line names the whole command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.formats.tools import run_tool


WORD = re.compile(r"[a-z][a-z0-9-]*")
USAGE = re.compile(r"^Usage: (.*)$", re.MULTILINE)
OPTION = re.compile(r"^\s*(-[\w-]+)", re.MULTILINE)
HELP_TIMEOUT_S = 30.0


def help_mistakes(tool: str, binary: Path, words: Sequence[str]) -> Iterator[str]:
    """Yield what `tool` does not have of a command line, its name left out.

    Raises:
        ProbeError: the binary does not run.
    """
    leading = _leading(words)
    page = _page(binary, leading)
    shown = _shown(tool, page)
    if not shown or leading[: len(shown)] != shown or "<subcommand>" in page.partition("\n")[0]:
        yield f"{' '.join([tool, *leading])}: {tool} has no such command"
        return
    known = set(OPTION.findall(page))
    for word in words[len(shown) :]:
        if re.fullmatch(r"-[a-z][\w-]*(=.*)?", word) and word.partition("=")[0] not in known:
            yield f"{' '.join([tool, *shown])} has no flag {word.partition('=')[0]}"


def _leading(words: Sequence[str]) -> list[str]:
    end = next((n for n, word in enumerate(words) if not WORD.fullmatch(word)), len(words))
    return list(words[:end])


def _shown(tool: str, page: str) -> list[str]:
    """Return the command that the page is about, as its usage line has it."""
    found = USAGE.search(page)
    return _leading(found.group(1).removeprefix(f"{tool} ").split()) if found else []


def _page(binary: Path, leading: Sequence[str]) -> str:
    done = run_tool([binary, *leading, "-help"], HELP_TIMEOUT_S, f"the help of {binary.name}")
    return (done.text or done.error_text).lstrip()
