"""The reader of plans, and what two sources together decide about firewalls and servers."""

from __future__ import annotations

import ipaddress
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import AssumptionError, ProbeError
from assay.formats.hcl import Hcl
from assay.formats.resource import Resource, Unresolved
from assay.probes.terraform.hetzner import allow_list, left_open, network, port_range, rules, servers, within
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.state import state_faults


HAND_MADE = Path(__file__).parents[4] / "infra" / "testdata" / "plan.hand-made.json"
ALLOWED = ["192.0.2.0/24", "100.64.0.0/10", "2001:db8::/32"]


def firewall(**rule: object) -> Resource:
    return Resource(
        "hcloud_firewall", "x", {"rule": [{"direction": "in", "protocol": "tcp", **rule}]}, "a.tf:1"
    )


def written_plan(folder: Path, **changed: object) -> TerraformPlan:
    document = {**json.loads(HAND_MADE.read_text(encoding="utf-8")), **changed}
    (folder / "plan.json").write_text(json.dumps(document), encoding="utf-8")
    return TerraformPlan(folder / "plan.json")


def test_the_hand_made_plan() -> None:
    resources = TerraformPlan(HAND_MADE).resources
    assert sum(bool(one.control_plane) for one in servers(resources)) == 3
    admin = ["192.0.2.10/32", "192.0.2.11/32", "2001:db8:10::/64", "100.64.0.0/10"]
    assert not [rule for rule in rules(resources) if rule.open_to_strangers(allow_list(admin))]
    assert isinstance(resources[0].attributes["id"], Unresolved)


@pytest.mark.parametrize(
    "changed",
    [
        {"format_version": "9.0"},
        {"errored": True},
        {"complete": False},
        {"resource_changes": None},
        {"planned_values": None},
        {"planned_values": {"root_module": {}}},
        {"resource_changes": []},
        {"planned_values": {"root_module": []}},
    ],
)
def test_half_a_plan_is_an_error(tmp_path: Path, changed: dict[str, Any]) -> None:
    if changed == {"planned_values": {"root_module": []}}:
        changed = {"planned_values": {"root_module": {"child_modules": ["x"]}}}
    with pytest.raises(ProbeError) as caught:
        _ = written_plan(tmp_path, **changed).resources
    assert caught.value.remedy


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 100_000],
    ids=itertools.count(),
)
def test_what_is_no_plan_is_an_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(raw)
    with pytest.raises(ProbeError) as caught:
        _ = TerraformPlan(tmp_path / "plan.json").resources
    assert caught.value.remedy


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda v: st.lists(v) | st.dictionaries(st.text(max_size=5), v),
    )
)
def test_any_json_is_read_or_refused(tmp_path: Path, value: object) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(ProbeError):
        _ = TerraformPlan(tmp_path / "plan.json").resources


@pytest.mark.parametrize(
    ("rule", "opened"),
    [
        ({"port": "6443", "source_ips": ["192.0.2.7/32"]}, False),
        ({"port": "6443", "source_ips": ["0.0.0.0/0"]}, True),
        ({"port": "443", "source_ips": ["0.0.0.0/0"]}, False),
        ({"port": "6000-7000", "source_ips": ["::/0"]}, True),
        ({"port": None, "source_ips": ["8.8.8.8/32"]}, True),
        ({"port": "any", "protocol": "icmp", "source_ips": ["::/0"]}, False),
        ({"port": "50000", "source_ips": []}, True),
        ({"port": "50000"}, True),
        ({"port": "6443", "source_ips": ["192.0.2.1/8"]}, True),
        ({"port": "6443", "source_ips": ["::ffff:192.0.2.1/128"]}, False),
        ({"port": "6443", "source_ips": ["::ffff:0:0/96"]}, True),
        ({"port": "6443", "direction": "out", "source_ips": ["0.0.0.0/0"]}, False),
    ],
)
def test_who_is_let_in(rule: dict[str, Any], opened: bool) -> None:
    (one,) = rules([firewall(**rule)])
    assert bool(one.open_to_strangers(allow_list(ALLOWED))) is opened
    assert not one.undecided(allow_list(ALLOWED))


def test_unknown_sources_are_open_unless_the_plan_knows() -> None:
    allowed = allow_list(ALLOWED)
    written = rules([firewall(port="6443", source_ips=Unresolved("var.x"))])
    known = rules([firewall(port="6443", source_ips=["192.0.2.0/25"])])
    assert left_open(written, [], [], allowed) == ["hcloud_firewall.x: var.x"]
    assert left_open(written, known, ["module.y"], allowed) == []
    assert left_open([], [], ["module.y"], allowed) == ["module.y"]


def test_a_plan_of_other_sources_is_no_plan() -> None:
    other = [Resource("hcloud_firewall", "y", {"rule": [{"port": "1", "source_ips": ["::/0"]}]}, "p")]
    with pytest.raises(AssumptionError):
        left_open(rules([firewall(port="6443", source_ips=["::/0"])]), rules(other), [], allow_list(ALLOWED))


@pytest.mark.parametrize("texts", [[], ["0.0.0.0/0"], ["::/0"], ["0.0.0.0/1"]])
def test_an_allow_list_that_allows_everyone_is_none(texts: list[str]) -> None:
    with pytest.raises(AssumptionError):
        allow_list(texts)


@given(st.ip_addresses(v=4), st.integers(8, 32), st.integers(0, 32))
def test_within_agrees_with_the_addresses(address: ipaddress.IPv4Address, wide: int, narrow: int) -> None:
    allowed, one = network(f"{address}/{wide}"), network(f"{address}/{narrow}")
    assert within(one, [allowed]) is (narrow >= wide)


@given(st.text(max_size=12))
def test_any_port_or_address_is_read_or_refused(text: str) -> None:
    for read in (network, port_range):
        try:
            read(text)
        except ProbeError as error:
            if not error.remedy:
                raise


def test_secrets_in_the_state() -> None:
    assert [leak.ref for leak in state_faults([], [])] == ["terraform.backend"]
    assert state_faults([Resource("backend", "s3", {"encrypt": True, "use_lockfile": True}, "v")], []) == []
    given_data = Resource("hcloud_server", "a", {"user_data": Unresolved("x")}, "s")
    assert [leak.ref for leak in state_faults([Resource("cloud", "", {}, "v")], [given_data])] == [
        "hcloud_server.a"
    ]
    assert not state_faults(Hcl(HAND_MADE.parents[1]).settings(), [])
