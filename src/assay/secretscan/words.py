"""The word lists of `words.toml`: what names promise, what values are made of, how files are read."""

from __future__ import annotations

import tomllib
from pathlib import Path


_LISTS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def word_list(section: str, name: str) -> frozenset[str]:
    """Return one list of `words.toml`, for example that of `names`, `hard`."""
    return frozenset(_LISTS[section][name])
