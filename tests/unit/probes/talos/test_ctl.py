"""By which way a node is asked, and what is said where there is none."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from assay.errors import ProbeError
from assay.probes.talos.cert import read_endpoints
from assay.probes.talos.clients import TalosClients
from assay.probes.talos.ctl import Talosctl
from assay.probes.talos.facts import Machine
from assay.probes.talos.fleet import assemble
from assay.probes.talos.read import Talos


PLANE = Machine("cp-1", "10.0.0.1", "controlplane")
WORKER = Machine("w-1", "10.0.0.9", "worker")
WAYS = ("10.0.0.1", "10.0.0.2")


def talosctl(folder: Path, script: str, *endpoints: str) -> Talosctl:
    """Return a client whose talosctl is a script."""
    file = folder / "talosctl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    config = {"context": "x", "contexts": {"x": {"endpoints": list(endpoints)}}}
    (folder / "talosconfig").write_text(yaml.safe_dump(config))
    return Talosctl.of(file, folder / "talosconfig", ())


def test_a_worker_is_asked_through_the_control_planes(tmp_path: Path) -> None:
    client = talosctl(tmp_path, 'echo "$@"', *WAYS)
    assert "-e 10.0.0.1,10.0.0.2 -n 10.0.0.9 version" in client.ask(WORKER, "version")
    assert "-e 10.0.0.1 -n 10.0.0.1 version" in client.ask(PLANE, "version")


def test_without_endpoints_each_node_is_asked_at_its_own_address(tmp_path: Path) -> None:
    assert "-e 10.0.0.9 -n 10.0.0.9" in talosctl(tmp_path, 'echo "$@"').ask(WORKER, "version")


def test_the_profile_s_endpoints_go_before_the_file_s(tmp_path: Path) -> None:
    client = talosctl(tmp_path, "", *WAYS)
    assert Talosctl.of(client.binary, client.config, ("192.0.2.1",)).endpoints == ("192.0.2.1",)
    assert read_endpoints(client.config) == WAYS


def test_a_node_without_an_address_is_an_error_before_any_question(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="no address"):
        talosctl(tmp_path, "exit 9", *WAYS).ask(Machine("ubuntu", "", "worker"), "version")


def test_a_silent_way_is_named(tmp_path: Path) -> None:
    client = talosctl(tmp_path, 'echo "rpc error: code = Unavailable" >&2; exit 1', *WAYS)
    with pytest.raises(ProbeError, match=r"port 50000 of 10\.0\.0\.1, 10\.0\.0\.2 reachable"):
        client.ask(WORKER, "version")


def test_a_role_that_is_too_small_is_named(tmp_path: Path) -> None:
    client = talosctl(tmp_path, 'echo "rpc error: code = PermissionDenied desc = not authorized" >&2; exit 1')
    with pytest.raises(ProbeError, match=r"role of talosconfig is too small.*os:admin"):
        client.ask(WORKER, "read", "/proc/1/mountinfo")


@pytest.mark.parametrize("text", ["", "context: x\n", "- a\n", "context: x\ncontexts: {x: 1}\n", "{"])
def test_a_file_that_is_not_a_talosconfig_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "talosconfig").write_text(text)
    with pytest.raises(ProbeError, match="talosconfig"):
        read_endpoints(tmp_path / "talosconfig")


def test_what_a_reader_may_ask_is_asked_as_reader(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "a").mkdir()
    reader = talosctl(tmp_path / "r", 'echo reader >> "$(dirname $0)/asked"; echo "{}"')
    admin = talosctl(tmp_path / "a", 'echo admin >> "$(dirname $0)/asked"; echo "{}"')
    talos = Talos(TalosClients(admin, reader), lambda _: assemble((), None, (WORKER,), ""), "v1.13.5")
    for question in (talos.version, talos.services, talos.etcd_members):
        with pytest.raises(ProbeError):
            question(WORKER)
    assert not (tmp_path / "a" / "asked").exists()
    with pytest.raises(ProbeError):
        talos.kubelet(WORKER)
    assert (tmp_path / "a" / "asked").exists()


def test_without_an_administrator_the_rest_is_judged_and_the_role_is_named(tmp_path: Path) -> None:
    clients = TalosClients(None, talosctl(tmp_path, 'echo "10.0.0.9   x"'))
    talos = Talos(clients, lambda _: assemble((), None, (WORKER,), ""))
    with pytest.raises(ProbeError, match="os:reader is not enough"):
        talos.machineconfig(WORKER)


def test_nodes_that_do_not_answer_are_told_and_the_others_judged(tmp_path: Path) -> None:
    client = talosctl(tmp_path, 'case "$*" in *10.0.0.9*) exit 1;; *) echo 10.0.0.1;; esac')
    talos = Talos(TalosClients(client, None), lambda _: assemble((), None, (PLANE, WORKER), ""))
    gaps: list[str] = []
    answers = talos.each(
        talos.machines,
        lambda node: client.ask(node, "version"),
        lambda node, why: gaps.append(f"{node.ref}: {why}"),
    )
    assert [(node.name, text.strip()) for node, text in answers] == [("cp-1", "10.0.0.1")]
    assert len(gaps) == 1
    assert gaps[0].startswith("Node w-1")
