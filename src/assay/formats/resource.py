"""What the Terraform sources and a plan have in common.

Resources with attributes, some of which nobody knows yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


# What an expression can be worth: text, number, boolean, None, list, mapping or Unresolved.
Value: TypeAlias = Any
SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A value that cannot be computed from the files.

    The expression, and why not. It equals nothing but itself.
    """

    expression: str
    why: str = "not computable from the files"

    def __str__(self) -> str:
        """Return the expression, as its author wrote it; a long one by its beginning."""
        return (
            self.expression if len(self.expression) <= SHOWN_CHARS else f"{self.expression[:SHOWN_CHARS]}..."
        )


@dataclass(frozen=True, slots=True)
class Resource:
    """One instance of a managed resource.

    `attributes` holds text, numbers, booleans, None, lists, mappings and `Unresolved`; nested blocks are
    lists of mappings under their type. `key` is the instance's index or for_each key. `unresolved` says why
    the number of instances is not known; there is then one Resource that stands for all of them.
    """

    type: str
    name: str
    attributes: Mapping[str, Value]
    where: str
    key: int | str | None = None
    unresolved: Unresolved | None = None

    @property
    def ref(self) -> str:
        """Return `type.name`, which all instances share."""
        return f"{self.type}.{self.name}"

    @property
    def address(self) -> str:
        """Return `type.name`, `type.name[0]` or `type.name["key"]`."""
        if self.key is None:
            return self.ref
        return f"{self.ref}[{self.key}]" if isinstance(self.key, int) else f'{self.ref}["{self.key}"]'

    def blocks(self, kind: str) -> list[Mapping[str, Value] | Unresolved]:
        """Return the nested blocks of one type, in order; an `Unresolved` stands for uncounted ones."""
        value = self.attributes.get(kind, [])
        return list(value) if isinstance(value, list) else [value]
