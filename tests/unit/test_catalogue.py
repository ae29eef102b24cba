"""Policies, tests and violations: what is refused, in one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.catalogue import check_trios, load_catalogue, names
from assay.effect import Effect
from assay.errors import CatalogueError
from tests.unit.support.catalogue import GOOD, HEAD, Toy


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def refused(toy: Toy) -> str:
    with pytest.raises(CatalogueError) as caught:
        check_trios(load_catalogue(toy.root))
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return str(caught.value)


def test_names_are_derived_from_the_id() -> None:
    assert names("SEC-02") == (
        "policies/sec/SEC-02.toml",
        "acceptance/sec/test_sec_02.py",
        "violations/sec/sec_02.py",
    )


def test_a_catalogue_without_policies_is_refused(toy: Toy) -> None:
    assert "no policies/" in refused(toy)


def test_an_id_twice_is_refused(toy: Toy) -> None:
    toy.policy("NET-01")
    toy.write("policies/net/NET-02.toml", (toy.root / "policies/net/NET-01.toml").read_text())
    assert "NET-02.toml: id NET-01 is there twice" in refused(toy)


def test_a_policy_in_the_wrong_place_is_refused(toy: Toy) -> None:
    toy.policy("NET-01")
    (toy.root / "policies/net/NET-01.toml").rename(toy.root / "policies/net/NET-09.toml")
    assert "move it to policies/net/NET-01.toml" in refused(toy)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param('owner = "Infra"', "", "owner must be given", id="missing"),
        pytest.param(
            '["static"]', '["statc"]', "tiers must be a list of static, live, load, drill", id="tier"
        ),
        pytest.param('["static"]', '["static", "static"]', "each once", id="tier-twice"),
        pytest.param("remedy", "remedi", "remedy must be given", id="typo"),
        pytest.param(
            'owner = "Infra"', 'owner = "Infra"\nseverity = 3', "unknown key 'severity'", id="unknown"
        ),
        pytest.param('owner = "Infra"', 'owner = "Infra"\nowner = "X"', "not valid TOML", id="twice"),
        pytest.param(
            'owner = "Infra"',
            'owner = "I"\nlimits = [{metric="a", value="9", unit="s"}]',
            "value must be a number",
            id="limit",
        ),
        pytest.param(
            'owner = "Infra"',
            'owner = "I"\neffects = { static = "looks" }',
            "effects must be a table of tier = effect, each one of reads, dry-run, decoy",
            id="effect",
        ),
        pytest.param(
            'owner = "Infra"',
            'owner = "I"\neffects = { live = "reads" }',
            "effects must be a table of tier = effect",
            id="effect-of-no-tier",
        ),
    ],
)
def test_a_bad_policy_is_refused(toy: Toy, old: str, new: str, says: str) -> None:
    toy.policy("NET-01")
    path = toy.root / "policies/net/NET-01.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    assert says in refused(toy)


def test_a_test_without_its_policy_is_refused(toy: Toy) -> None:
    toy.trio("NET-01")
    toy.policy("NET-02")
    (toy.root / "policies/net/NET-01.toml").unlink()
    assert "test_net_01.py: test_things: no policy for ['NET-01']" in refused(toy)


def test_a_test_without_its_violation_is_refused(toy: Toy) -> None:
    toy.trio("NET-01")
    (toy.root / "violations/net/net_01.py").unlink()
    assert "NET-01: a test without violations/net/net_01.py" in refused(toy)


def test_a_violation_without_its_test_is_refused(toy: Toy) -> None:
    toy.trio("NET-01")
    (toy.root / "acceptance/net/test_net_01.py").unlink()
    assert "violations/net/net_01.py: a violation without its test" in refused(toy)


@pytest.mark.parametrize(
    ("test", "says"),
    [
        pytest.param("def test_x(): pass", "names no control", id="unmarked"),
        pytest.param("x = 1", "holds no test", id="no-test"),
        pytest.param("def (", "not valid Python", id="syntax"),
        pytest.param(
            GOOD.replace('"{id}"', '"{id}", tier="drill"'),
            "tier 'drill' is not among the policy's",
            id="tier",
        ),
    ],
)
def test_a_bad_test_is_refused(toy: Toy, test: str, says: str) -> None:
    toy.trio("NET-01")
    toy.write("acceptance/net/test_net_01.py", HEAD + test.format(id="NET-01"))
    assert says in refused(toy)


@pytest.mark.parametrize(("bigger", "smaller", "included"), [
    ("dry-run", "reads", True), ("reads", "dry-run", False), ("writes", "decoy", True),
    ("load", "dry-run", True), ("load", "decoy", False), ("load", "writes", False),
    ("disrupts", "load", True), ("disrupts", "writes", True), ("load", "disrupts", False),
])  # fmt: skip
def test_an_effect_includes_the_smaller_ones(bigger: str, smaller: str, included: bool) -> None:
    assert Effect(bigger).includes(Effect(smaller)) is included
