"""Where a file of the reference platform lies in the tree with other names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from lab.names import Names


VAULT = "gitops/platform/vault/config"
# Files in folders of Vault's configuration are called after what they define.
NAMED_FILES = {f"{VAULT}/roles": ("VaultRole", ".json"), f"{VAULT}/policies": ("VaultPolicy", ".hcl")}


def moved(path: str, names: Names) -> str:
    """Return the path, from the tree's root, of what lies at `path` in the project."""
    folder, base = posixpath.split(path)
    if folder in NAMED_FILES:
        kind, suffix = NAMED_FILES[folder]
        return f"{moved(folder, names)}/{names.of(kind, base.removesuffix(suffix))}{suffix}"
    table = names.tables["Path"]
    for parent in _upwards(path):
        if parent in table:
            return table[parent] + path[len(parent) :]
    return path


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = posixpath.dirname(path)
