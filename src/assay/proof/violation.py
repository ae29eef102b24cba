"""What a violation is: it plants, yields the name that the red test must give, and puts back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from assay.model import Named
from assay.proof.plant import Plant


Violation = Callable[[Plant], AbstractContextManager[Named]]


def as_violation(
    *, name: str = "", what: str = "", tier: str = ""
) -> Callable[[Callable[[Plant], Iterator[Named]]], Violation]:
    """Return a decorator that makes a violation of a generator: it plants, yields what is named, puts back.

    Args:
        name: default: the function's.
        what: a sentence that says what is planted; default: the function's docstring.
        tier: of the test that must catch it, `static` or `live`; default: the last of the control's tiers.
    """

    def wrap(plants: Callable[[Plant], Iterator[Named]]) -> Violation:
        one = contextmanager(plants)
        one.__name__, one.__doc__ = name or plants.__name__, what or plants.__doc__
        if tier:
            one.tier = tier  # type: ignore[attr-defined]
        return one

    return wrap
