"""A plan stands for sources that cannot be read; without one they are what is judged, or an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.config.trees import SourceTree
from assay.errors import ProbeError
from assay.formats.resource import Resource
from assay.probes.terraform.declared import of_plans, of_sources
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.sources import TerraformSources


HAND_MADE = Path(__file__).parents[4] / "infra" / "testdata" / "plan.hand-made.json"
FIREWALL = 'resource "hcloud_firewall" "a" {\n  name = "a"\n}\n'


def sources(folder: Path, **files: str) -> TerraformSources:
    for name, text in files.items():
        (folder / name.replace("_json", ".tf.json").replace("_tf", ".tf")).write_text(text)
    return TerraformSources([SourceTree(folder, "infra")])


def refs(resources: tuple[Resource, ...]) -> set[str]:
    return {one.ref for one in resources}


def test_sources_alone(tmp_path: Path) -> None:
    known = of_sources(sources(tmp_path, main_tf=FIREWALL + 'module "nodes" {\n  source = "./nodes"\n}\n'))
    assert refs(known.written) == {"hcloud_firewall.a"}
    assert (known.modules, known.plans, known.unread) == (("module.nodes",), (), {})


def test_a_plan_alone() -> None:
    def nowhere() -> TerraformSources:
        raise ProbeError("the profile does not say where infra is")

    known = of_plans([TerraformPlan(HAND_MADE)], nowhere)
    assert known.written == ()
    assert "hcloud_server.control_plane" in refs(known.planned)
    assert known.unread == {"sources": "the profile does not say where infra is"}


def test_files_that_are_not_read_are_said_where_a_plan_stands_for_them(tmp_path: Path) -> None:
    found = sources(tmp_path, main_tf=FIREWALL, more_json=json.dumps({"resource": {}}))
    known = of_plans([TerraformPlan(HAND_MADE)], lambda: found)
    assert refs(known.written) == {"hcloud_firewall.a"}
    assert list(known.unread) == ["File more.tf.json"]


def test_json_alone_needs_a_plan(tmp_path: Path) -> None:
    found = sources(tmp_path, main_json=json.dumps({"resource": {}}))
    assert of_plans([TerraformPlan(HAND_MADE)], lambda: found).planned
    with pytest.raises(ProbeError):
        of_sources(sources(tmp_path))


def test_a_plan_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ProbeError, match=r"plan\.json"):
        of_plans([TerraformPlan(tmp_path / "plan.json")], lambda: sources(tmp_path))
