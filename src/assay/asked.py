"""Which systems a judgement asked: a property of the stack notes them each time it is used.

What stands in for a real part is recorded by them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload


T = TypeVar("T")


class Asking(Protocol):
    """What such a property belongs to.

    Attributes:
        asked: the systems asked so far, by the names of their sections in the profile.
        made: what the properties have made, by their names; made once, however often it is used.
        used: what of it was used so far.
    """

    asked: set[str]
    made: dict[str, object]
    used: dict[str, object]


class Asks(Generic[T]):
    """A property that is made when it is first used; each use notes the systems that it asks."""

    def __init__(self, make: Callable[[Any], T], systems: frozenset[str]) -> None:
        """Make the property's value by `make`, and note `systems`."""
        self.make = make
        self.systems = systems
        self.name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Asks[T]: ...
    @overload
    def __get__(self, owner: Asking, kind: type) -> T: ...
    def __get__(self, owner: Asking | None, kind: type) -> Asks[T] | T:
        """Return the value, made now if it was not yet."""
        if owner is None:
            return self
        owner.asked |= self.systems
        if self.name not in owner.made:
            owner.made[self.name] = self.make(owner)
        value: T = owner.made[self.name]  # type: ignore[assignment]
        owner.used[self.name] = value
        return value


def asks(*systems: str) -> Callable[[Callable[[Any], T]], Asks[T]]:
    """Return a decorator for a property that asks `systems`; none: it reads files only."""
    return lambda make: Asks(make, frozenset(systems))
