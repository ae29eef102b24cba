"""The firewall of a node itself, as its machine configuration has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.formats.resource import Resource, Unresolved
from assay.probes.talos.ingress import blocks_somewhere, openings, unreached
from assay.probes.talos.rendered import Rendered, from_folder
from assay.probes.terraform.hetzner import allow_list


ALLOWED = allow_list(["192.0.2.10/32", "2001:db8::/64"])
MACHINE = """machine:
  type: {role}
  network: {{hostname: {name}}}
  kubelet: {{nodeIP: {{validSubnets: [10.0.0.0/16, "!10.0.9.0/24"]}}}}
cluster: {{network: {{podSubnets: [10.244.0.0/16]}}}}
"""
BLOCK = "---\nkind: NetworkDefaultActionConfig\ningress: block\n"
RULE = (
    "---\nkind: NetworkRuleConfig\nname: r\nportSelector: {{ports: [{}], protocol: {}}}\n"
    'ingress: [{{subnet: "{}"}}]\n'
)
CASES = {
    "no firewall": ("", "controlplane", True),
    "accepts": ("---\nkind: NetworkDefaultActionConfig\ningress: accept\n", "controlplane", True),
    "blocks": (BLOCK, "controlplane", False),
    "ours": (BLOCK + RULE.format("50000", "tcp", "192.0.2.10/32"), "controlplane", False),
    "the nodes": (BLOCK + RULE.format("50000", "tcp", "10.0.0.0/16"), "controlplane", False),
    "everybody": (BLOCK + RULE.format("6443", "tcp", "0.0.0.0/0"), "controlplane", True),
    "everybody over IPv6": (BLOCK + RULE.format("50000", "tcp", "::/0"), "worker", True),
    "a range": (BLOCK + RULE.format("49000-51000", "tcp", "203.0.113.0/24"), "worker", True),
    "6443 of a worker": (BLOCK + RULE.format("6443", "tcp", "0.0.0.0/0"), "worker", False),
    "another port": (BLOCK + RULE.format("443", "tcp", "0.0.0.0/0"), "controlplane", False),
}


def node(folder: Path, name: str = "n-1", role: str = "worker", more: str = "") -> Rendered:
    (folder / f"{name}.yaml").write_text(MACHINE.format(role=role, name=name) + more)
    return next(one for one in from_folder(folder) if name in one.names)


@pytest.mark.parametrize(("more", "role", "is_open"), CASES.values(), ids=CASES)
def test_openings(more: str, role: str, is_open: bool, tmp_path: Path) -> None:
    assert bool(openings(node(tmp_path, role=role, more=more), ALLOWED)) is is_open


def test_a_wide_subnet_of_nodes_is_not_the_cluster(tmp_path: Path) -> None:
    found = node(tmp_path, more=BLOCK + RULE.format("50000", "tcp", "0.0.0.0/0"))
    found.documents[0]["machine"]["kubelet"]["nodeIP"]["validSubnets"] = ["0.0.0.0/0"]
    assert openings(found, ALLOWED)


def server(name: str, *, uncounted: bool = False) -> Resource:
    why = Unresolved("var.n") if uncounted else None
    return Resource("hcloud_server", "a", {"name": name}, "main.tf:1", None, why)


def test_nodes_that_no_server_stands_for(tmp_path: Path) -> None:
    nodes = [node(tmp_path, "n-1"), node(tmp_path, "n-2")]
    assert [one.names for one in unreached(nodes, [server("prod-n-1")])] == [("n-2",)]
    assert unreached(nodes, []) == nodes
    assert unreached(nodes, [server("x"), server("y")]) == []
    assert unreached(nodes, [server("x", uncounted=True)]) == []


def test_patches_that_block(tmp_path: Path) -> None:
    assert not blocks_somewhere(None)
    (tmp_path / "a.yaml").write_text("{{ template }}: [\n")
    assert not blocks_somewhere(tmp_path)
    (tmp_path / "b.yml").write_text(BLOCK)
    assert blocks_somewhere(tmp_path)
