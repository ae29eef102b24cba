"""Copies of trees with one thing changed, and the names of the changed places."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.paths import Paths
from assay.errors import GuardError
from assay.proof.source_trees import PlantedTrees, line_of


@pytest.fixture
def trees(tmp_path: Path) -> PlantedTrees:
    for file, text in {"a.yaml": "kind: A\nname: one\n", "b/c.yaml": "kind: C\nname: one\n"}.items():
        path = tmp_path / "manifests" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "runbook.md").write_text("first\nsecond\n")
    return PlantedTrees(Paths(gitops=(tmp_path / "manifests",), runbook=tmp_path / "runbook.md"))


def test_the_first_file_that_matches_is_changed_and_named_by_its_line(trees: PlantedTrees) -> None:
    before = trees.paths
    with trees.substituted("gitops", r"(kind: C)\nname: \w+$", r"\1\nname: two") as path:
        assert path.read_text() == "kind: C\nname: two\n"
        assert str(trees.located(path, "name: two")) == "File manifests/b/c.yaml:2"
        assert str(trees.located(path)) == "File manifests/b/c.yaml"
    assert trees.paths == before


def test_a_glob_over_names_leaves_files_out(trees: PlantedTrees) -> None:
    with trees.substituted("gitops", "name: one", "name: two", "c.*") as path:
        assert path.name == "c.yaml"


def test_what_matches_nowhere_plants_nothing(trees: PlantedTrees) -> None:
    with pytest.raises(GuardError, match="no file matches nine"), trees.substituted("gitops", "nine", "x"):
        pass


def test_a_single_file_is_named_by_itself(trees: PlantedTrees) -> None:
    with trees.edited("runbook", "runbook.md", "second", "third") as path:
        assert str(trees.located(path, "third")) == "File runbook.md:2"


def test_a_line_that_is_the_text_comes_before_one_that_only_holds_it() -> None:
    assert line_of("run all\n  run\n", "run") == 2
    with pytest.raises(GuardError, match="no line holds"):
        line_of("a\n", "b")


@given(
    st.lists(st.text(st.characters(codec="ascii", exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e")), min_size=1)
)
def test_the_line_that_is_found_holds_the_text(lines: list[str]) -> None:
    number = line_of("\n".join(lines), lines[-1]) if lines[-1] else 1
    assert lines[-1] in lines[number - 1] or lines[number - 1].strip() == lines[-1].strip()
