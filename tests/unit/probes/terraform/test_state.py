"""Resources of a state, in both shapes that Terraform writes; servers of it that joined nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.errors import ProbeError
from assay.probes.kube.facts import KubeNode
from assay.probes.terraform.hetzner import unjoined
from assay.probes.terraform.state import TerraformState


SERVERS = [
    {"name": "cp-1", "ipv4_address": "203.0.113.11"},
    {"name": "renamed", "ipv4_address": "203.0.113.21"},
    {"name": "inside", "ipv4_address": "", "network": [{"ip": "10.0.0.31"}]},
    {"name": "lost", "ipv4_address": "203.0.113.99"},
    {"name": "bastion-1", "ipv4_address": "203.0.113.50"},
]
NODES = [
    KubeNode("cp-1", {}, (), "", "", True, False, ()),
    KubeNode("w-1", {}, (), "", "", True, False, (("ExternalIP", "203.0.113.21"),)),
    KubeNode("w-2", {}, (), "", "", True, False, (("InternalIP", "10.0.0.31"),)),
]


def state(folder: Path, document: dict[str, Any]) -> TerraformState:
    file = folder / "state.json"
    file.write_text(json.dumps(document))
    return TerraformState(file)


def pulled(folder: Path) -> TerraformState:
    instances = [{"index_key": n, "attributes": values} for n, values in enumerate(SERVERS)]
    rows = [
        {
            "mode": "managed",
            "module": "module.x",
            "type": "hcloud_server",
            "name": "n",
            "instances": instances,
        },
        {"mode": "data", "type": "hcloud_server", "name": "seen", "instances": [{"attributes": {}}]},
    ]
    return state(folder, {"version": 4, "resources": rows})


def shown(folder: Path) -> TerraformState:
    rows = [
        {"mode": "managed", "address": f"module.x.hcloud_server.n[{n}]", "type": "hcloud_server", "name": "n",
         "index": n, "values": values}
        for n, values in enumerate(SERVERS)
    ]  # fmt: skip
    inner = {"child_modules": [{"resources": rows}]}
    return state(folder, {"format_version": "1.0", "values": {"root_module": inner}})


@pytest.mark.parametrize("made", [pulled, shown])
def test_servers_that_are_not_nodes_are_named(tmp_path: Path, made: Any) -> None:  # noqa: ANN401 - one of two
    known = made(tmp_path).resources
    assert [one.key for one in known] == list(range(len(SERVERS)))
    assert [one.ref for one in unjoined(known, NODES, ["bastion-*"])] == ["Server lost"]
    assert "state.json:module.x" in unjoined(known, NODES, ["bastion-*"])[0].why


def test_an_encrypted_state_is_not_read(tmp_path: Path) -> None:
    sealed = state(tmp_path, {"encrypted_data": "x", "meta": {}, "version": 4})
    assert sealed.encrypted
    with pytest.raises(ProbeError, match="encrypted"):
        _ = sealed.resources


@pytest.mark.parametrize("row", [{}, {"mode": "managed"}, {"mode": "managed", "instances": 1}, 7])
def test_a_state_in_another_shape_is_an_error(tmp_path: Path, row: object) -> None:
    with pytest.raises(ProbeError):
        _ = state(tmp_path, {"version": 4, "resources": [row]}).resources
