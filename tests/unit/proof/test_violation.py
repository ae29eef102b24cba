"""How violations are registered and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.catalogue import load_catalogue
from assay.errors import CatalogueError
from assay.model import Tier
from assay.proof.violation import Violation, planted_violations
from tests.unit.support.catalogue import Toy


ONE = '''
@violation()
def {0}(plant):
    """The thing {0}."""
    yield Named("Thing {0}")
'''
LOOPED = """
for word, tier in (("first", "static"), ("second", "")):

    @violation(name=word, what=f"The {word} thing.", tier=tier)
    def _planted(plant, word=word):
        yield Named(f"Thing {word}")
"""


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def read(toy: Toy, text: str) -> list[Violation]:
    toy.trio("NET-01", plants=text, tiers='["static", "live"]')
    return planted_violations(toy.root, load_catalogue(toy.root).controls["NET-01"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("x = 1", "net_01.py: registers no violation", id="none"),
        pytest.param("import nothing_there", "net_01.py: cannot be imported: ModuleNotFound", id="import"),
        pytest.param(ONE.format("a") * 2, "net_01.py: two violations are called a", id="twice"),
        pytest.param(ONE.format("a").replace("()\ndef", '(tier="soon")\ndef'), "'soon' is not", id="tier"),
        pytest.param("@violation()\ndef a(plant):\n    yield 1", "a: nothing says what", id="docstring"),
        pytest.param("@violation(what='A.')\ndef a(plant):\n    return []", "not a generator", id="function"),
    ],
)
def test_a_bad_file_is_refused(toy: Toy, text: str, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        read(toy, text)


def test_no_file_is_refused(toy: Toy) -> None:
    toy.policy("NET-01")
    with pytest.raises(CatalogueError, match="NET-01: no violation is there to plant"):
        planted_violations(toy.root, load_catalogue(toy.root).controls["NET-01"])


def test_the_order_is_that_of_definition_and_a_second_reading_finds_the_same(toy: Toy) -> None:
    text = ONE.format("b") + ONE.format("a")
    assert [one.name for one in read(toy, text)] == ["b", "a"] == [one.name for one in read(toy, text)]


def test_functions_made_in_a_loop_are_kept_apart(toy: Toy) -> None:
    first, second = read(toy, LOOPED)
    control = load_catalogue(toy.root).controls["NET-01"]
    assert (first.name, first.what, first.tier_of(control)) == ("first", "The first thing.", Tier.STATIC)
    assert (second.name, second.what, second.tier_of(control)) == ("second", "The second thing.", Tier.LIVE)


def test_a_docstring_says_what_is_planted(toy: Toy) -> None:
    (one,) = read(toy, ONE.format("a"))
    assert one.what == "The thing a."
