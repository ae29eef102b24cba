"""The optional parts of the lab's platform.

Every module or package below this one that has a `PART` is one. A part starts after those that it `needs`.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from lab.layout import STATE
from lab.parts.part import Context, Part


__all__ = ["Context", "Part", "chosen", "every", "extended", "left_out", "ordered", "remember", "remembered",
           "without"]  # fmt: skip

CHOICE = STATE / "parts.json"


@cache
def every() -> tuple[Part, ...]:
    """Return all parts in start order."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return ordered(module.PART for module in modules if hasattr(module, "PART"))


def ordered(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return `parts` in start order: each one after all that it needs, otherwise by name.

    Raises:
        RuntimeError: a part needs one that does not exist, or parts need each other in a circle.
    """
    known = {part.name: part for part in sorted(parts, key=lambda part: part.name)}
    for part in known.values():
        if missing := [name for name in part.needs if name not in known]:
            raise RuntimeError(f"part {part.name} needs {', '.join(missing)}, which does not exist")
    try:
        return tuple(
            known[name]
            for name in TopologicalSorter({p.name: p.needs for p in known.values()}).static_order()
        )
    except CycleError as circle:
        raise RuntimeError(f"parts need each other in a circle: {' -> '.join(circle.args[1])}") from None


def chosen(wanted: Iterable[str]) -> tuple[Part, ...]:
    """Return the named parts and everything they need, in start order.

    Raises:
        RuntimeError: a name is not that of a part.
    """
    known, names = {part.name: part for part in every()}, _checked(wanted)
    for one in names:
        names += known[one].needs
    return tuple(part for part in every() if part.name in names)


def without(unwanted: Iterable[str]) -> tuple[Part, ...]:
    """Return all parts except the named ones and those that need them, in start order.

    Raises:
        RuntimeError: a name is not that of a part.
    """
    gone = set(_checked(unwanted))
    for part in every():  # in start order, so everything a part needs has been decided before it
        if gone.intersection(part.needs):
            gone.add(part.name)
    return tuple(part for part in every() if part.name not in gone)


def _checked(names: Iterable[str]) -> list[str]:
    known, asked = [part.name for part in every()], list(names)
    for one in asked:
        if one not in known:
            raise RuntimeError(f"{one}: no such part; known parts: {', '.join(known)}")
    return asked


def remember(parts: Iterable[Part], file: Path = CHOICE) -> None:
    """Record which parts the lab was started with."""
    file.write_text(json.dumps([part.name for part in parts]))


def remembered(file: Path = CHOICE) -> tuple[Part, ...]:
    """Return the parts the lab was started with, in start order."""
    names = json.loads(file.read_text()) if file.exists() else []
    return tuple(part for part in every() if part.name in names)


def extended(name: str) -> tuple[Part, ...]:
    """Return the parts of the running lab plus `name` and everything it needs, in start order.

    Raises:
        RuntimeError: there is no such part.
    """
    return chosen([name, *(part.name for part in remembered())])


def left_out(parts: Iterable[Part]) -> dict[str, str]:
    """Return the controls that cannot be judged because a part is missing, each with the reason."""
    present = {part.name for part in parts}
    return {
        control: f"the lab was started without {part.name}"
        for part in every()
        if part.name not in present
        for control in part.controls
    }
