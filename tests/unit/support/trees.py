"""Folders as the readers of sources take them, and what a reader could not read as the first error."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from assay.config.trees import SourceTree
from assay.gaps import gaps_of


T = TypeVar("T")


def tree(path: Path, label: str | None = None) -> SourceTree:
    """Return a folder as a tree of that label, by default its name."""
    return SourceTree(path, path.name if label is None else label)


def whole(reader: object, value: T) -> T:
    """Return what a reader gave, after raising the first thing that it could not read."""
    for gaps in gaps_of([reader]):
        for problem in gaps.unread.values():
            raise problem
    return value
