"""A copy of the runbook in which a line is wrong, as somebody might have written it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.model import Named
from assay.proof.plant import Plant


@contextmanager
def runbook_with(plant: Plant, edit: Callable[[str], str]) -> Iterator[Path]:
    """Yield the copy of the runbook, its text changed by `edit`."""
    with plant.copied("runbook") as folder:
        (path,) = folder.glob("*.md")
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
        yield path


def runbook_line(plant: Plant, line: str, edit: Callable[[str], str]) -> Iterator[Named]:
    """Bring `line` into a copy of the runbook by `edit`, and yield its name: the file and the number."""
    with runbook_with(plant, edit) as path:
        yield plant.located(path, line)
