"""Firewalls of dedicated servers: what they let in, by the shapes of three providers."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.formats.hcl import Hcl
from assay.probes.terraform.hetzner import allow_list
from assay.probes.terraform.robot import all_rules


ALLOWED = allow_list(["192.0.2.10/32"])
ROWS = {
    "one of ours": ('src_ip = "192.0.2.10"\n dst_port = "50000"\n action = "accept"', []),
    "everybody": ('dst_port = "50000"\n protocol = "tcp"\n action = "accept"', ["0.0.0.0/0", "::/0"]),
    "IPv6": ('dst_port = "6443"\n ip_version = "ipv6"\n action = "accept"', ["::/0"]),
    "all high ports": ('src_ip = "0.0.0.0/0"\n dst_port = "32768-65535"\n action = "accept"', ["0.0.0.0/0"]),
    "answers": (
        'src_ip = "0.0.0.0/0"\n dst_port = "32768-65535"\n tcp_flags = "ack"\n action = "accept"',
        [],
    ),
    "syn or ack": ('src_ip = "0.0.0.0/0"\n tcp_flags = "syn|ack"\n action = "accept"', ["0.0.0.0/0"]),
    "discarded": ('src_ip = "0.0.0.0/0"\n action = "discard"', []),
    "ping": ('src_ip = "0.0.0.0/0"\n protocol = "icmp"\n action = "accept"', []),
    "another port": ('src_ip = "0.0.0.0/0"\n dst_port = "443"\n action = "accept"', []),
}


def strangers(folder: Path, text: str) -> list[str]:
    (folder / "main.tf").write_text(text)
    return [one for rule in all_rules(Hcl(folder).resources()) for one in rule.open_to_strangers(ALLOWED)]


@pytest.mark.parametrize(("row", "found"), ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("kind", ["hetznerrobot_firewall", "hetzner-robot_firewall"])
def test_a_rule(kind: str, row: str, found: list[str], tmp_path: Path) -> None:
    assert (
        strangers(tmp_path, f'resource "{kind}" "a" {{\n active = true\n rule {{\n {row}\n }}\n}}\n') == found
    )


def test_what_stands_behind_a_rule_that_discards_all_opens_nothing(tmp_path: Path) -> None:
    rows = 'rule {\n action = "discard"\n }\n rule {\n dst_port = "6443"\n action = "accept"\n }\n'
    assert strangers(tmp_path, f'resource "hetznerrobot_firewall" "a" {{\n {rows}}}\n') == []


def test_a_list_of_rules(tmp_path: Path) -> None:
    rows = (
        '{ action = "accept", destination_port = "22", source_ips = ["203.0.113.1"] },\n'
        '{ action = "accept", destination_port = "6443", source_ips = ["192.0.2.10", "203.0.113.1"] },\n'
    )
    text = 'resource "hrobot_firewall" "a" {{\n server_id = 7\n input_rules = [{}]\n {}}}\n'
    assert strangers(tmp_path, text.format(rows, "")) == ["203.0.113.1"]
    assert strangers(tmp_path, text.format("", "filter_ipv6 = false\n")) == ["::/0"]


def test_a_firewall_that_is_switched_off_lets_everybody_in(tmp_path: Path) -> None:
    text = 'resource "hetznerrobot_firewall" "a" {\n server_ip = "203.0.113.9"\n active = false\n}\n'
    assert strangers(tmp_path, text) == ["0.0.0.0/0", "::/0"]


def test_what_the_files_do_not_decide_is_undecided(tmp_path: Path) -> None:
    text = (
        'variable "rows" {}\nresource "hrobot_firewall" "a" {\n server_id = 7\n input_rules = var.rows\n}\n'
    )
    (tmp_path / "main.tf").write_text(text)
    assert [rule.undecided(ALLOWED) for rule in all_rules(Hcl(tmp_path).resources())] == [True]
