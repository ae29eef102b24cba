"""What the platform's things are called: by the reference platform's names, or by those of a table.

The sources (`infra/`, `talos/`, `gitops/`, `docs/`) are written with the reference names. `other.toml` gives
each of them another name, kind by kind. The lab's code spells no name out: it asks `Names.of`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


FOLDER = Path(__file__).parent
DEFAULT, OTHER = "default", "other"
TITLES = (DEFAULT, OTHER)
VARIABLE = "ASSAY_LAB_NAMES"
RECORD = "names"
# Kinds of Kubernetes objects whose table has only the names that differ from those of the general one.
OBJECTS = frozenset(
    (
        "ConfigMap",
        "ExternalSecret",
        "PersistentVolume",
        "Pod",
        "Secret",
        "SecretStore",
        "Service",
        "ServiceAccount",
    )
)
Tables = Mapping[str, Mapping[str, str]]


class UnknownNameError(RuntimeError):
    """A name that is in no table; the message says where to add it."""


@dataclass(frozen=True, slots=True)
class Names:
    """One set of names.

    Attributes:
        title: `default`, or the name of the table.
        tables: kind -> reference name -> name.
        kept: kind -> name -> who fixes it: Kubernetes or a controller's source. These never change.
    """

    title: str
    tables: Tables
    kept: Tables

    def of(self, kind: str, name: str) -> str:
        """Return the name of the `kind` that the reference platform calls `name`.

        Raises:
            UnknownNameError: it is neither in a table nor fixed.
        """
        if self.fixed(kind, name):
            return name
        for table in (self.tables.get(kind, {}), self._general(kind)):
            if name in table:
                return table[name]
        raise UnknownNameError(
            f"{kind} {name}: add it to lab/names/other.toml, or to kept.toml if it is fixed"
        )

    def has(self, kind: str, name: str) -> bool:
        """Return whether something of this kind has this name, or is called so by somebody else."""
        known = {*self.tables.get(kind, {}).values(), *self._general(kind).values()}
        return name in known or self.fixed(kind, name)

    def fixed(self, kind: str, name: str) -> bool:
        """Return whether the platform cannot choose this name."""
        return name.startswith("system:") or name in self.kept.get(kind, {}) or name in self.kept["Any"]

    def _general(self, kind: str) -> Mapping[str, str]:
        return self.tables["Object"] if kind in OBJECTS or kind not in self.tables else {}


@cache
def load(title: str) -> Names:
    """Return the names called `title`.

    Raises:
        RuntimeError: there are none of that title.
    """
    if title not in TITLES:
        raise RuntimeError(f"{title}: no such names; known: {', '.join(TITLES)}")
    tables = _read(OTHER)
    if title == DEFAULT:
        tables = {kind: {name: name for name in table} for kind, table in tables.items()}
    return Names(title, tables, _read("kept"))


def _read(name: str) -> Tables:
    read = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return {kind: dict(table) for kind, table in read.items()}  # a table, or a list of pairs


def current(state: Path) -> Names:
    """Return the names of the lab with this state folder: the environment's, the recorded, or the default."""
    record = state / RECORD
    recorded = record.read_text().strip() if record.exists() else DEFAULT
    return load(os.environ.get(VARIABLE) or recorded)


def remember(state: Path, names: Names) -> None:
    """Record which names the lab is started with."""
    (state / RECORD).write_text(names.title)
