"""No name of the reference platform stands in the suite: names are the profile's, or are discovered."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from lab.layout import PROJECT
from lab.names import OTHER, load


SUITE = ("src/assay", "policies", "acceptance", "violations")
READ = {".py", ".toml", ".hcl", ".yaml", ".json", ".mjs"}
SKIPPED = {"node_modules", "__pycache__"}
ALLOWED = tomllib.loads(Path(__file__).with_name("reference_names.toml").read_text(encoding="utf-8"))
NAMES = load(OTHER)
RENAMED = {old for table in NAMES.tables.values() for old, new in table.items() if old != new}
# Of words that mean something else as well, these name a thing of the platform where they stand alone.
SUSPECT = {
    "ai", "app", "backups", "canary", "db", "edge", "etcd", "lab", "operator", "orders", "platform",
    "postgres", "reader", "vault",
}  # fmt: skip


def files() -> list[Path]:
    found = [path for folder in SUITE for path in sorted((PROJECT / folder).rglob("*"))]
    return [path for path in found if path.suffix in READ and not SKIPPED & set(path.parts)]


def lines_with(words: set[str], path: Path, spared: Iterable[str] = ()) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    for one in spared:
        text = text.replace(one, " ")
    known = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True) if word in text)
    pattern = re.compile(rf"(?<![A-Za-z0-9-])(?:{known})(?![A-Za-z0-9-])")
    for number, line in enumerate(text.splitlines() if known else (), 1):
        yield from (f"{path}:{number}: {word}" for word in pattern.findall(line))


def literals(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_name_of_the_reference_platform_stands_in_the_suite() -> None:
    words = RENAMED - NAMES.kept["Word"].keys() - ALLOWED["words"].keys()
    assert "shop" in words
    spared = {PROJECT / name: list(texts) for name, texts in ALLOWED["files"].items()}
    assert [line for path in files() for line in lines_with(words, path, spared.get(path, ()))] == []


def test_words_that_may_be_names_stand_alone_only_where_they_mean_something_else() -> None:
    said = {path: literals(path) for path in files() if path.suffix == ".py"}
    found = {
        word: sorted(str(path.relative_to(PROJECT)) for path, texts in said.items() if word in texts)
        for word in SUSPECT
    }
    allowed = {word: sorted(places) for word, places in ALLOWED["literals"].items()}
    assert {word: places for word, places in found.items() if places} == allowed


@pytest.mark.parametrize("word", sorted(ALLOWED["words"]))
def test_every_allowed_word_is_a_reference_name(word: str) -> None:
    assert word in RENAMED, "remove it from reference_names.toml"


def test_a_name_in_a_test_is_found_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    file.write_text('RULE = "workshop"\nSPACE = "shop"\nJOB = ("vault", "the vault")\n')
    assert list(lines_with({"shop"}, file)) == [f"{file}:2: shop"]
    assert "vault" in literals(file)
