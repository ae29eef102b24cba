"""Small synthetic catalogues for the tests of the plugin: real files, real pytest, no platform."""

from __future__ import annotations

from pathlib import Path


INI = """[pytest]
addopts = --import-mode=importlib -p no:cacheprovider -p no:hypothesispytest -p no:locust
"""
POLICY = """
id = "{id}"
statement = "The statement of {id}."
source = "Section: claim"
owner = "{owner}"
tiers = {tiers}
remedy = "The remedy of {id}."
"""
HEAD = """
import pytest
from assay.errors import ProbeError
from assay.model import Named, Breach, Record, Offender
from assay.proof.violation import violation
"""
GOOD = """
@pytest.mark.control("{id}")
def test_things(stack, control):
    things = control.population((stack.paths.infra[0].path / "list").read_text().split())
    control.offenders((f"Thing {{t}}" for t in things if t.startswith("bad")), "is bad")
    assert not control.found
"""
PLANTS = """
@violation()
def bad_thing(plant):
    'A bad thing in the list.'
    with plant.added("infra", "list", " bad-one"):
        yield Named("Thing bad-one")
"""
PROFILE = """
[stack]
name = "toy"
kind = "lab"
[paths]
infra = "infra"
"""


class Toy:
    """A folder that looks like a platform's repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("infra/list", "one two three")
        self.write("toy.toml", PROFILE)

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def policy(self, name: str, owner: str = "Infra", tiers: str = '["static"]', more: str = "") -> None:
        text = POLICY.format(id=name, owner=owner, tiers=tiers) + more
        self.write(f"policies/{name.split('-')[0].lower()}/{name}.toml", text)

    def trio(
        self,
        name: str,
        test: str = GOOD,
        plants: str = PLANTS,
        *,
        tiers: str = '["static"]',
        owner: str = "Infra",
        more: str = "",
    ) -> None:
        family, word = name.split("-")[0].lower(), name.lower().replace("-", "_")
        self.policy(name, owner, tiers, more)
        self.write(f"acceptance/{family}/test_{word}.py", HEAD + test.format(id=name))
        self.write(f"violations/{family}/{word}.py", HEAD + plants)
