"""The pages that people and CI rely on: short enough, true where a machine can tell, and nothing unpinned."""

from __future__ import annotations

import os
import re
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from assay.catalogue import Catalogue, check_overrides, load_catalogue
from assay.config.loader import load_profile
from assay.config.profile import Profile
from assay.run import pages
from assay.run.detection import Detection, read_detections, store_detections
from assay.run.pages import with_regions
from tests.unit.support.catalogue import Toy


ROOT = Path(__file__).parents[3]
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "docs" / "design.md",
    *ADRS,
]


def text(*parts: str) -> str:
    """Return the text of a file of the repository."""
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def commands(page: str) -> set[str]:
    """Return the commands of the page's console blocks, without comments."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    return {
        line[2:].split("#")[0].strip()
        for block in blocks
        for line in block.splitlines()
        if line.startswith("$ ")
    }


@cache
def catalogued() -> Catalogue:
    """Return the project's own catalogue."""
    return load_catalogue(ROOT)


def test_contributing_is_short_and_starts_with_adding_a_control() -> None:
    """What most people come for stands first."""
    page = text("CONTRIBUTING.md")
    assert len(page.splitlines()) <= 60
    assert re.findall(r"^## (.*)$", page, re.MULTILINE)[0] == "Add a control"


def test_contributing_lists_only_commands_that_ci_runs() -> None:
    """A command nobody runs is a command that rots."""
    ci = text(".ci", "run") + "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    assert {command for command in commands(text("CONTRIBUTING.md")) if command not in ci} == set()


def test_ci_decides_by_lint_and_test_and_stops_at_the_first_failure() -> None:
    """The script is executable, strict, and hides no exit code."""
    script = text(".ci", "run")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "set -euo pipefail" in script
    assert [line for line in script.splitlines() if line.startswith("make ")] == ["make lint", "make test"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_pin_actions_and_hold_no_rights_they_do_not_use(path: Path) -> None:
    """Forty hexadecimal digits, read-only token, nothing that swallows a failure."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in steps if "uses" in step)
    assert all(
        re.fullmatch(r"make [a-z./-]+|\.ci/run|\.venv/bin/assay check.*", step["run"])
        for step in steps
        if "run" in step
    )
    assert "continue-on-error" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_decisions_are_short_and_say_what_was_rejected(path: Path) -> None:
    """Forty lines at most; without the rejected options it is an announcement."""
    page = path.read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 40
    assert page.startswith(f"# {int(path.stem[:4])}. ")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == ["Context", "Decision", "Consequences", "Rejected"]
    assert page.split("## Rejected")[1].count("\n- **") >= 2


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_between_pages_resolve(path: Path) -> None:
    """Links to the outside are not followed."""
    links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_the_readme_has_a_screen_or_two_and_its_counts_are_generated() -> None:
    """`make docs` writes the counts, so that a new control edits no page by hand."""
    page = text("README.md")
    assert "<!-- counts -->" in page
    assert len(page.splitlines()) <= 90


def test_regions_are_replaced_and_the_rest_stays() -> None:
    page = "a\n<!-- x -->\nold\n<!-- /x -->\nb <!-- y --> c"
    assert with_regions(page, {"x": "new", "y": "never closed"}) == page.replace("old", "new")


def test_the_changelog_has_three_headings_of_its_own() -> None:
    """Keep a Changelog, with what may turn a green platform red."""
    page = text("CHANGELOG.md")
    assert all(f"### Controls {heading}" in page for heading in ("added", "tightened", "retired"))


def test_the_example_profile_loads_and_explains_every_key() -> None:
    """Whatever a profile may say is in the example, and it says nothing a reader would have to take out."""
    profile = load_profile(ROOT / "stacks" / "example.toml")
    assert profile.kind != "lab"
    example = text("stacks", "example.toml")
    for section in fields(Profile):
        part = getattr(profile, section.name)
        if is_dataclass(part):
            inner = {field.name for field in fields(part)}
            missing = {
                key
                for key in inner
                if not re.search(rf"^(# )?{key} = |\.{key}\]|^# {key} ", example, re.MULTILINE)
            }
            assert missing == set(), section.name
    tables = [getattr(profile.platform, one.name) for one in fields(profile.platform)]
    inner = [one[0] if isinstance(one, tuple) and one else one for one in tables]
    for part in filter(is_dataclass, inner):
        missing = {
            one.name for one in fields(part) if not re.search(rf"^(# )?{one.name} = ", example, re.MULTILINE)
        }
        assert missing == set(), type(part).__name__
    assert all(
        section in example for section in ("[[waivers]]", "[[not_applicable]]", "[[standins]]", "[scope]")
    )


@pytest.mark.parametrize("name", ["example.toml", "lab.toml"])
def test_profiles_declare_every_number_that_a_policy_leaves_open(name: str) -> None:
    """Otherwise the control is NOT_CHECKED, and nobody reads why."""
    overrides = load_profile(ROOT / "stacks" / name).overrides
    catalogue = catalogued()
    left_open = {
        (control, limit.metric)
        for control in catalogue.judged
        for limit in catalogue.controls[control].limits
        if limit.value is None
    }
    assert left_open <= {(control, metric) for control, one in overrides.items() for metric in one.numbers}
    check_overrides(catalogue, overrides)


def test_every_number_that_a_test_asks_for_is_in_its_policy() -> None:
    """A number without unit and source is no limit."""
    catalogue = catalogued()
    for case in catalogue.cases:
        asked = set(re.findall(r'limit\("(\w+)"\)', case.path.read_text(encoding="utf-8")))
        assert asked <= {limit.metric for limit in catalogue.controls[case.control].limits}, case.path


def test_the_licence_is_whole() -> None:
    """Apache-2.0, from its first line to the end of its appendix."""
    licence = text("LICENSE")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "limitations under the License." in licence


def test_a_proof_of_some_violations_is_taken_into_the_record(tmp_path: Path) -> None:
    """What was not proved this time stays; what can no longer be planted goes."""
    toy = Toy(tmp_path)
    toy.trio("NET-01")
    toy.trio("NET-02")
    matrix, proof = tmp_path / pages.MATRIX, tmp_path / "reports" / "detections.json"
    old = [Detection("NET-01", name, "static") for name in ("bad_thing", "gone")]
    kept = Detection("NET-02", "bad_thing", "static", caught=True, named=True)
    caught = Detection("NET-01", "bad_thing", "static", caught=True, named=True)
    store_detections(matrix, [*old, kept])
    pages.record(load_catalogue(tmp_path), proof)
    assert len(read_detections(matrix)) == 3
    store_detections(proof, [caught])
    pages.record(load_catalogue(tmp_path), proof)
    assert read_detections(matrix) == [caught, kept]
