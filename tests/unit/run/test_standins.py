"""What stands in for a real part is named in each record that it touches, and never passes in production."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.asked import Asks
from assay.config.profile import SYSTEMS
from assay.preflight.needs import ATTRIBUTES, NEUTRAL
from assay.run.evidence import read_lines
from assay.stack import STACKS
from tests.unit.support.catalogue import Toy


ASKS = """
@pytest.mark.control("{id}")
def test_things(stack, control):
    {line}
    control.population([1])
    if {bad}:
        control.offender("Thing bad", "is bad")
    assert not control.found
"""
STANDINS = """
[stack]
name = "toy"
kind = "{kind}"
[paths]
infra = "infra"
[registry]
address = "r.example"
[[standins]]
part = "registry of images"
reason = "a folder"
systems = ["registry"]
[[standins]]
part = "pod network"
reason = "a bridge"
controls = ["NET-03"]
"""


def judged(pytester: pytest.Pytester, toy: Toy, kind: str) -> dict[str, tuple[str, tuple[str, ...], str]]:
    lines = {
        "NET-01": "stack.samples",
        "NET-02": "stack.manifests if False else None",
        "NET-03": "stack.paths.infra",
    }
    for name, line in lines.items():
        toy.trio(name, ASKS.replace("{line}", line).replace("{bad}", "False"))
    toy.trio("NET-04", ASKS.replace("{line}", "stack.samples").replace("{bad}", "True"))
    toy.write("toy.toml", STANDINS.format(kind=kind))
    pytester.runpytest_inprocess("acceptance", "--stack", "toy.toml")
    (path,) = Path(pytester.path, "reports/evidence").glob("*.jsonl")
    return {
        str(row["control"]): (str(row["verdict"]), tuple(row["standins"]), str(row["reason"]))
        for row in read_lines(path) if "control" in row
    }  # fmt: skip


def test_each_record_names_the_stand_ins_that_it_went_through(pytester: pytest.Pytester, toy: Toy) -> None:
    """By the systems that its own test asked, though all tests share the probes, or by control."""
    found = judged(pytester, toy, "staging")
    assert {name: (verdict, parts) for name, (verdict, parts, _) in found.items()} == {
        "NET-01": ("PASS", ("registry of images",)),
        "NET-02": ("PASS", ()),
        "NET-03": ("PASS", ("pod network",)),
        "NET-04": ("FAIL", ("registry of images",)),
    }


def test_production_refuses_a_pass_through_a_stand_in(pytester: pytest.Pytester, toy: Toy) -> None:
    """A failure stands: what broke the control through a stand-in is worth knowing."""
    found = judged(pytester, toy, "production")
    assert found["NET-01"][0] == "ERROR"
    assert found["NET-01"][2] == "passed only through a stand-in: registry of images (a folder)"
    assert found["NET-03"][0] == "ERROR"
    assert (found["NET-02"][0], found["NET-04"][0]) == ("PASS", "FAIL")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('systems = ["cloud"]', "systems must be a list of kube, talos"),
        ("", "systems must be given, or controls"),
        ('controls = ["cloud"]', "'cloud'"),
        ('controls = ["NET-99"]', "no such control: NET-99"),
    ],
)
def test_a_stand_in_that_touches_nothing_known_is_refused(
    pytester: pytest.Pytester, toy: Toy, line: str, says: str
) -> None:
    toy.trio("NET-01")
    text = toy.root.joinpath("toy.toml").read_text()
    toy.write("toy.toml", f'{text}[[standins]]\npart = "x"\nreason = "y"\n{line}\n')
    result = pytester.runpytest_inprocess("acceptance", "--stack", "toy.toml")
    assert result.ret == 4
    assert says in result.stderr.str()


def test_each_probe_of_the_stack_says_which_systems_it_asks() -> None:
    """A probe that forgot to would let a stand-in pass unseen, and doctor would not know what it needs."""
    own = {name: one for kind in reversed(STACKS.values()) for name, one in vars(kind).items()}
    made = {name: one for name, one in own.items() if isinstance(one, Asks)}
    assert {system for one in made.values() for system in one.systems} <= set(SYSTEMS)
    plain = {
        name for name, one in own.items()
        if isinstance(one, property) and name not in ("platform", "drills")
    }  # fmt: skip
    assert plain == set()  # each drill notes its own systems
    assert set(made) - ATTRIBUTES.keys() - NEUTRAL == set()
    files = {
        "vault_files",
        "hcl",
        "declared",
        "plan",
        "state",
        "runbook",
        "manifests",
        "rendered",
        "rendered_if_any",
        "repositories",
        "secret_scans",
    }
    assert {name for name, one in made.items() if not one.systems} == files
