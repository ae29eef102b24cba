"""Ways around a firewall: servers that have none, load balancers that cannot have one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.formats.hcl import Hcl
from assay.formats.resource import Resource
from assay.probes.terraform.exposure import PortExposure, open_balancers, selects, unguarded_servers
from assay.probes.terraform.hetzner import servers
from assay.probes.terraform.plan import TerraformPlan


FIREWALL = 'resource "hcloud_firewall" "fw" {\n  name = "fw"\n}\n'
SERVER = 'resource "hcloud_server" "cp" {{\n  name = "cp"\n  labels = {{ role = "controlplane" }}\n{}}}\n'
BALANCER = 'resource "hcloud_load_balancer" "api" {\n  name = "api"\n}\n'
SERVICE = (
    'resource "hcloud_load_balancer_service" "api" {{\n'
    "  load_balancer_id = hcloud_load_balancer.api.id\n{}}}\n"
)
TCP = '  protocol = "tcp"\n  listen_port = {}\n  destination_port = {}\n'
NETWORK = (
    'resource "hcloud_load_balancer_network" "api" {{\n'
    "  load_balancer_id = hcloud_load_balancer.{}.id\n  enable_public_interface = {}\n}}\n"
)


def module(folder: Path, *texts: str) -> list[Resource]:
    (folder / "main.tf").write_text("\n".join(texts))
    return Hcl(folder).resources()


def refs(found: list[PortExposure]) -> list[str]:
    return [f"{one.ref}{'' if one.decided else ' ?'}" for one in found]


BARE = "hcloud_server.cp"
SERVERS = {
    "nothing": ([SERVER.format("")], [BARE]),
    "an empty list": ([SERVER.format("  firewall_ids = []\n")], [BARE]),
    "its own": ([FIREWALL, SERVER.format("  firewall_ids = [hcloud_firewall.fw.id]\n")], []),
    "a variable": (
        ['variable "ids" {}\n', SERVER.format("  firewall_ids = var.ids\n")],
        [f"{BARE} ?"],
    ),
    "private": (
        [SERVER.format("  public_net {\n    ipv4_enabled = false\n    ipv6_enabled = false\n  }\n")],
        [],
    ),
    "IPv6 only": ([SERVER.format("  public_net {\n    ipv4_enabled = false\n  }\n")], [BARE]),
    "attached by id": (
        [SERVER.format(""), FIREWALL,
         'resource "hcloud_firewall_attachment" "a" {\n  firewall_id = hcloud_firewall.fw.id\n'
         "  server_ids = [hcloud_server.cp.id]\n}\n"],
        [],
    ),
    "another is attached": (
        [SERVER.format(""), FIREWALL,
         'resource "hcloud_firewall_attachment" "a" {\n  firewall_id = hcloud_firewall.fw.id\n'
         "  server_ids = [hcloud_server.other.id]\n}\n"],
        [BARE],
    ),
    "attached by a splat": (
        [SERVER.format(""), 'resource "hcloud_firewall_attachment" "a" {\n  firewall_id = 1\n'
         "  server_ids = hcloud_server.cp[*].id\n}\n"],
        [],
    ),
    "attached by who knows what": (
        [SERVER.format(""), 'variable "ids" {}\n',
         'resource "hcloud_firewall_attachment" "a" {\n  firewall_id = 1\n  server_ids = var.ids\n}\n'],
        [f"{BARE} ?"],
    ),
    "a selector that fits": (
        [SERVER.format(""), 'resource "hcloud_firewall" "fw" {\n  name = "fw"\n  apply_to {\n'
         '    label_selector = "role=controlplane"\n  }\n}\n'],
        [],
    ),
    "a selector that does not": (
        [SERVER.format(""), 'resource "hcloud_firewall" "fw" {\n  name = "fw"\n  apply_to {\n'
         '    label_selector = "role in (worker, db)"\n  }\n}\n'],
        [BARE],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "wanted"), SERVERS.values(), ids=SERVERS)
def test_a_server_without_a_firewall_is_named(tmp_path: Path, texts: list[str], wanted: list[str]) -> None:
    assert refs(unguarded_servers(module(tmp_path, *texts), ())) == wanted


def test_a_server_that_is_not_a_node_may_be_left_out(tmp_path: Path) -> None:
    text = 'resource "hcloud_server" "b" {\n  name = "bastion-1"\n}\n'
    assert unguarded_servers(module(tmp_path, text), ["bastion-*"]) == []


def test_one_of_three_instances_that_is_attached_guards_itself_alone(tmp_path: Path) -> None:
    text = 'resource "hcloud_server" "cp" {\n  count = 3\n  name = "cp-${count.index}"\n}\n'
    attached = (
        'resource "hcloud_firewall_attachment" "a" {\n  firewall_id = 1\n'
        "  server_ids = [hcloud_server.cp[1].id]\n}\n"
    )
    found = unguarded_servers(module(tmp_path, text, attached), ())
    assert ["cp[0]" in found[0].why, "cp[2]" in found[1].why, len(found)] == [True, True, 2]


OPEN = "hcloud_load_balancer_service.api"
BALANCERS = {
    "the API": ([SERVICE.format(TCP.format(6443, 6443))], [OPEN]),
    "hidden behind 443": ([SERVICE.format(TCP.format(443, 6443))], [OPEN]),
    "Talos": ([SERVICE.format(TCP.format(50000, 50000))], [OPEN]),
    "the application": ([SERVICE.format(TCP.format(443, 30443))], []),
    "https without ports": ([SERVICE.format('  protocol = "https"\n')], []),
    "https to the API": ([SERVICE.format('  protocol = "https"\n  destination_port = 6443\n')], [OPEN]),
    "no public side": ([SERVICE.format(TCP.format(6443, 6443)), NETWORK.format("api", "false")], []),
    "a public side": ([SERVICE.format(TCP.format(6443, 6443)), NETWORK.format("api", "true")], [OPEN]),
    "another one's public side": (
        [SERVICE.format(TCP.format(6443, 6443)), NETWORK.format("app", "false")],
        [OPEN],
    ),
    "a switch nobody knows": (
        ['variable "v" {}\n', SERVICE.format(TCP.format(6443, 6443)), NETWORK.format("api", "var.v")],
        [f"{OPEN} ?"],
    ),
    "a port nobody knows": (
        ['variable "v" {}\n', SERVICE.format(TCP.format("var.v", "var.v"))],
        [f"{OPEN} ?"],
    ),
}


@pytest.mark.parametrize(("texts", "wanted"), BALANCERS.values(), ids=BALANCERS)
def test_a_balancer_that_opens_an_admin_port_is_named(
    tmp_path: Path, texts: list[str], wanted: list[str]
) -> None:
    assert refs(open_balancers(module(tmp_path, BALANCER, *texts))) == wanted


def plan(folder: Path, *rows: tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]) -> TerraformPlan:
    """Write a plan of resources: address, values, what is unknown, expressions of the configuration."""
    planned, changes, written = [], [], []
    for address, values, unknown, expressions in rows:
        kind, _, name = address.partition(".")
        about = {"address": address, "mode": "managed", "type": kind, "name": name}
        planned.append({**about, "values": values})
        changes.append({"address": address, "change": {"after_unknown": unknown}})
        written.append({**about, "expressions": expressions})
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": planned}},
        "resource_changes": changes,
        "configuration": {"root_module": {"resources": written}},
    }
    (folder / "plan.json").write_text(json.dumps(document))
    return TerraformPlan(folder / "plan.json")


def test_a_fresh_plan_tells_what_was_configured_from_what_the_provider_computes(tmp_path: Path) -> None:
    fresh = plan(
        tmp_path,
        ("hcloud_server.bare", {"name": "bare"}, {"id": True, "firewall_ids": True}, {"name": {}}),
        ("hcloud_server.own", {"name": "own"}, {"firewall_ids": True},
         {"name": {}, "firewall_ids": {"references": ["hcloud_firewall.fw.id", "hcloud_firewall.fw"]}}),
        ("hcloud_server.perhaps", {"name": "perhaps"}, {"firewall_ids": True},
         {"name": {}, "firewall_ids": {"references": ["var.on", "hcloud_firewall.fw.id"]}}),
        ("hcloud_server.attached", {"name": "attached"}, {"id": True, "firewall_ids": True}, {"name": {}}),
        ("hcloud_firewall_attachment.a", {}, {"server_ids": True},
         {"server_ids": {"references": ["hcloud_server.attached.id", "hcloud_server.attached"]}}),
    )  # fmt: skip
    assert refs(unguarded_servers(fresh.resources, ())) == ["hcloud_server.bare", "hcloud_server.perhaps ?"]


def test_a_plan_of_what_is_there_tells_by_ids(tmp_path: Path) -> None:
    there = plan(
        tmp_path,
        ("hcloud_server.a", {"id": "11", "name": "a", "firewall_ids": []}, {}, {"name": {}}),
        ("hcloud_server.b", {"id": "12", "name": "b", "firewall_ids": [7]}, {}, {"name": {}}),
        ("hcloud_server.c", {"id": "13", "name": "c", "firewall_ids": []}, {}, {"name": {}}),
        ("hcloud_firewall_attachment.x", {"server_ids": [13]}, {}, {}),
        ("hcloud_load_balancer_service.s", {"load_balancer_id": "5", "listen_port": 6443}, {}, {}),
        ("hcloud_load_balancer_service.t", {"load_balancer_id": "6", "listen_port": 6443}, {}, {}),
        ("hcloud_load_balancer_network.n", {"load_balancer_id": 6, "enable_public_interface": False}, {}, {}),
    )
    assert refs(unguarded_servers(there.resources, ())) == ["hcloud_server.a"]
    assert refs(open_balancers(there.resources)) == ["hcloud_load_balancer_service.s"]


LABELS = {"role": "cp", "env": "prod"}
SELECTORS = {
    "role=cp": True, "role==cp": True, "role=worker": False, "role!=worker": True, "role": True,
    "!role": False, "!gone": True, "gone": False, "role in (cp, db)": True, "role notin (cp)": False,
    "role=cp,env=prod": True, "role=cp, env=dev": False, "": None, "role=cp)": None,
    "gone notin (x)": True, "gone!=x": True,
}  # fmt: skip


@pytest.mark.parametrize(("selector", "wanted"), SELECTORS.items(), ids=SELECTORS)
def test_label_selectors(selector: str, wanted: bool | None) -> None:
    assert selects(selector, LABELS) is wanted


@given(st.text("ab=!,() notin", max_size=20))
def test_any_selector_is_decided_or_not(selector: str) -> None:
    assert selects(selector, {"a": "b"}) in (True, False, None)


ROLES = {
    "its label": ('labels = { role = "controlplane" }', True),
    "its name": ('name = "${var.cluster}-control-plane-${count.index}"', True),
    "another name": ('name = "${var.cluster}-worker-1"', False),
    "another label": ('name = var.cluster\n  labels = { role = "worker" }', False),
    "a name that says nothing": ('name = "web"', False),
    "a name that is not known": ('name = "${var.cluster}-${each.key}"', None),
}


@pytest.mark.parametrize(("body", "plane"), ROLES.values(), ids=ROLES)
def test_whether_a_server_is_a_control_plane(body: str, plane: bool | None, tmp_path: Path) -> None:
    text = f'variable "cluster" {{}}\nresource "hcloud_server" "servers" {{\n  {body}\n}}\n'
    assert [one.control_plane for one in servers(module(tmp_path, text))] == [plane]


def test_a_firewall_of_a_list_that_nobody_knows_is_no_firewall(tmp_path: Path) -> None:
    given = SERVER.format("  firewall_ids = [local.fw]\n")
    assert refs(unguarded_servers(module(tmp_path, given), ())) == [f"{BARE} ?"]


def test_a_dedicated_server_and_its_firewall(tmp_path: Path) -> None:
    bare = 'resource "hrobot_server" "metal" {\n  server_name = "metal"\n}\n'
    fence = 'resource "hrobot_firewall" "metal" {\n  server_id = hrobot_server.metal.server_id\n}\n'
    assert refs(unguarded_servers(module(tmp_path, bare), ())) == ["hrobot_server.metal"]
    assert refs(unguarded_servers(module(tmp_path, bare, fence), ())) == []
