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

ORDER = ("objectstore", "vault", "secrets", "postgres", "backups", "vault_snapshots")
CHOICE = STATE / "parts.json"


def every() -> tuple[Part, ...]:
    """Return all parts there are, in order."""
    there = (name for name in ORDER if importlib.util.find_spec(f"lab.parts.{name}"))
    return tuple(importlib.import_module(f"lab.parts.{name}").PART for name in there)


def chosen(wanted: Iterable[str]) -> tuple[Part, ...]:
    """Return the named parts and what they need, in order.

    Raises:
        RuntimeError: a name is no part.
    """
    known, names = {part.name: part for part in every()}, _known(wanted)
    for one in names:
        names += known[one].needs
    return tuple(part for part in every() if part.name in names)


def without(unwanted: Iterable[str]) -> tuple[Part, ...]:
    """Return all parts but the named ones and those that need them, in order.

    Raises:
        RuntimeError: a name is no part.
    """
    gone = set(_known(unwanted))
    for part in every():  # in the order in which they start, so what is needed has been looked at before
        if gone.intersection(part.needs):
            gone.add(part.name)
    return tuple(part for part in every() if part.name not in gone)


def _known(names: Iterable[str]) -> list[str]:
    there, asked = [part.name for part in every()], list(names)
    for one in asked:
        if one not in there:
            raise RuntimeError(f"{one}: no such part; there are {', '.join(there)}")
    return asked


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
    return chosen([name, *(part.name for part in remembered())])


def left_out(parts: Iterable[Part]) -> dict[str, str]:
    """Return the controls that cannot be judged without the parts that are not there, with the reason."""
    there = {part.name for part in parts}
    return {
        control: f"the lab was started without {part.name}"
        for part in every()
        if part.name not in there
        for control in part.controls
    }
