"""Violations: each breaks a control on purpose, names what the red test must find, and undoes it.

A file below `violations/` registers its violations by the decorator `violation`, in the order of definition.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from assay.catalogue import names
from assay.errors import CatalogueError
from assay.model import Breach, Control, Named, Tier
from assay.proof.plant import Plant


REGISTER = "REGISTERED_VIOLATIONS"  # the global of a module of violations that holds them
Planting = Callable[[Plant], Iterator[Named | Breach]]


@dataclass(frozen=True, slots=True)
class Violation:
    """One way to break a control.

    `what` says what is planted. `tier` is the tier of the test that must catch it, None: the control's last.
    """

    name: str
    what: str
    tier: Tier | None
    planting: Planting

    def planted(self, plant: Plant) -> AbstractContextManager[Named | Breach]:
        """Open the violation: it stands while open and is undone on every way out."""
        return contextmanager(self.planting)(plant)

    def tier_of(self, control: Control) -> Tier:
        """Return the tier of the test of `control` that must catch it."""
        return self.tier or control.tiers[-1]


def violation(*, name: str = "", what: str = "", tier: str = "") -> Callable[[Planting], Violation]:
    """Return a decorator that registers a generator function as a violation of the module it stands in.

    The function takes a Plant, plants, yields the Named or Breach that the test must find, and undoes.

    Args:
        name: default: the function's.
        what: a sentence that says what is planted; default: the function's docstring.
        tier: of the test that must catch it; default: the last of the control's tiers.

    Raises:
        CatalogueError: the function is not a generator function, or nothing says what is planted.
    """

    def register(planting: Planting) -> Violation:
        said = what or inspect.getdoc(planting) or ""
        one = Violation(name or planting.__name__, said, Tier(tier) if tier else None, planting)
        if not inspect.isgeneratorfunction(planting):
            raise CatalogueError(f"{one.name}: not a generator function", "yield what the test must name")
        if not said:
            raise CatalogueError(f"{one.name}: nothing says what is planted", "write a docstring")
        planting.__globals__.setdefault(REGISTER, []).append(one)
        return one

    return register


def planted_violations(root: Path, control: Control) -> list[Violation]:
    """Return a control's violations in the order of their definition.

    Raises:
        CatalogueError: no file, it cannot be imported, it registers none, or two under one name.
    """
    path = names(control.id)[2]
    if not (root / path).is_file():
        raise CatalogueError(f"{control.id}: no violation is there to plant", f"write {path}")
    found: list[Violation] = vars(_module(root / path, path)).get(REGISTER, [])
    if not found:
        raise CatalogueError(f"{path}: registers no violation", "decorate one with @violation()")
    twice = [name for name, count in Counter(one.name for one in found).items() if count > 1]
    if twice:
        raise CatalogueError(f"{path}: two violations are called {twice[0]}", "give each a name of its own")
    return found


def _module(path: Path, short: str) -> ModuleType:
    """Return the file as a new module: nothing of an earlier import is registered in it."""
    name = f"violations_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CatalogueError(f"{short}: cannot be imported", "is it Python?")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        text = f"{short}: cannot be imported: {type(problem).__name__}: {problem}"
        raise CatalogueError(text.replace("\n", " "), "fix the violation") from problem
    return module
