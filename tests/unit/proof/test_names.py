"""Violations take names from the profile or from the lab's own objects, whatever they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.names import OTHER, load
from lab.names.check import leftovers


ROOT = Path(__file__).parents[3]
# Of the language, of the shell, and the profile's own words for a kind of backup.
WORDS = {"mark", "cp", "etcd-snapshot", "vault-snapshot"}
FILES = sorted(path for folder in ("violations", "src/assay/proof") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_name_of_the_reference_platform_is_planted(path: Path) -> None:
    assert set(leftovers(path.read_text(encoding="utf-8"), load(OTHER))) <= WORDS
