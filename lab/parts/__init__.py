"""The parts of the lab's platform that it can be started without, in the order in which they start."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path

from lab.layout import STATE
from lab.parts.part import Context, Part


__all__ = ["Context", "Part", "added", "chosen", "every", "left_out", "remember", "remembered"]

ORDER = ("objectstore", "vault", "secrets", "postgres", "backups")
CHOICE = STATE / "parts.json"


def every() -> tuple[Part, ...]:
    """Return all parts there are, in order."""
    there = (name for name in ORDER if importlib.util.find_spec(f"lab.parts.{name}"))
    return tuple(importlib.import_module(f"lab.parts.{name}").PART for name in there)


def chosen(without: Iterable[str] = ()) -> tuple[Part, ...]:
    """Return the parts of a lab that is started without some.

    Raises:
        RuntimeError: a name is no part, or a part that stays needs one that is left out.
    """
    absent, parts = set(without), every()
    if unknown := sorted(absent - {part.name for part in parts}):
        raise RuntimeError(
            f"{', '.join(unknown)}: no such part; there are {', '.join(p.name for p in parts)}"
        )
    for part in parts:
        if part.name not in absent and (lacking := sorted(absent.intersection(part.needs))):
            raise RuntimeError(f"{part.name} needs {', '.join(lacking)}: leave {part.name} out too")
    return tuple(part for part in parts if part.name not in absent)


def remember(parts: Iterable[Part], file: Path = CHOICE) -> None:
    """Write down which parts the lab was started with."""
    file.write_text(json.dumps([part.name for part in parts]))


def remembered(file: Path = CHOICE) -> tuple[Part, ...]:
    """Return the parts the lab was started with, in order."""
    names = json.loads(file.read_text()) if file.exists() else []
    return tuple(part for part in every() if part.name in names)


def added(name: str) -> tuple[Part, ...]:
    """Return the parts of the running lab, `name` and what it needs, in order.

    Raises:
        RuntimeError: there is no such part.
    """
    known, wanted = {part.name: part for part in every()}, [name]
    for one in wanted:
        if one not in known:
            raise RuntimeError(f"{one}: no such part; there are {', '.join(known) or 'none'}")
        wanted += known[one].needs
    there = {*wanted, *(part.name for part in remembered())}
    return tuple(part for part in every() if part.name in there)


def left_out(parts: Iterable[Part]) -> dict[str, str]:
    """Return the controls that cannot be judged without the parts that are not there, with the reason."""
    there = {part.name for part in parts}
    return {
        control: f"the lab was started without {part.name}"
        for part in every()
        if part.name not in there
        for control in part.controls
    }
