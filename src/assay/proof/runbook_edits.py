"""Misprints: a copy of the runbook in which a line is another, as somebody might have written it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.proof.plant import Named, Plant
from assay.proof.violation import Violation, as_violation


@contextmanager
def runbook_with(plant: Plant, edit: Callable[[str], str]) -> Iterator[Path]:
    """Yield the copy of the runbook, its text gone through `edit`."""
    with plant.copied("runbook") as folder:
        (path,) = folder.glob("*.md")
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
        yield path


def runbook_line(name: str, what: str, line: str, edit: Callable[[str], str]) -> Violation:
    """Return the violation `name`, which brings `line` into the runbook by `edit`; the line is named."""

    @as_violation(name=name, what=what)
    def violation(plant: Plant) -> Iterator[Named]:
        with runbook_with(plant, edit) as path:
            rows = path.read_text(encoding="utf-8").splitlines()
            number = next(n for n, row in enumerate(rows, 1) if row.strip() == line)
            yield Named(f"File {path.name}:{number}")

    return violation
