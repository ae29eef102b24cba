"""One run of a drill serves every control of a session that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast


T = TypeVar("T")
_known: dict[tuple[object, ...], object] = {}


def cached_per_session(key: tuple[object, ...], drill: Callable[[], T]) -> T:
    """Return what `drill` found when it was first asked for under `key`; an error is not kept.

    Args:
        key: what makes it the same drill: its name, the stack, the runbook that it carries out.
        drill: changes the stack and puts it back.
    """
    if key not in _known:
        _known[key] = drill()
    return cast("T", _known[key])


def clear() -> None:
    """Forget what drills found, so that the next question drills again; for violations."""
    _known.clear()
