"""Rendered machine configurations find their node by the hostname inside, from files and from Terraform."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.errors import ProbeError
from assay.formats.resource import Resource, Unresolved
from assay.probes.talos.facts import Machine
from assay.probes.talos.rendered import for_node, from_folder, from_terraform, nearest_differences, unused


WORKER = Machine("app-1", "10.0.0.21", "worker")
OTHER = Machine("app-2", "10.0.0.22", "worker")
PLANE = Machine("cp-1", "10.0.0.11", "controlplane")
NODES = (PLANE, WORKER, OTHER)
NAMED = "---\napiVersion: v1alpha1\nkind: HostnameConfig\nauto: 'off'\nhostname: {}\n"


def text(kind: str = "worker", host: str = "", disk: str = "/dev/sda") -> str:
    inside = f"  network: {{hostname: {host}}}\n" if host else ""
    return f"machine:\n  type: {kind}\n  install: {{disk: {disk}}}\n{inside}"


def refs(folder: Path, node: Machine) -> list[str]:
    return [one.ref for one in for_node(from_folder(folder), node, NODES)]


def test_a_file_is_found_by_the_hostname_inside_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "prod-node-17.yaml").write_text(text(host="app-1"))
    (tmp_path / "app-1.yaml").write_text(text() + NAMED.format("app-2.example.org"))
    assert refs(tmp_path, WORKER) == ["File prod-node-17.yaml"]
    assert refs(tmp_path, OTHER) == ["File app-1.yaml"]


def test_without_a_hostname_the_file_s_name_counts(tmp_path: Path) -> None:
    for name in ("prod-app-1.yaml", "app-2.yml"):
        (tmp_path / name).write_text(text())
    assert refs(tmp_path, WORKER) == ["File prod-app-1.yaml"]
    assert refs(tmp_path, OTHER) == ["File app-2.yml"]
    assert refs(tmp_path, PLANE) == []


def test_an_autoscaled_node_runs_what_was_rendered_for_no_node_in_particular(tmp_path: Path) -> None:
    (tmp_path / "worker.yaml").write_text(text())
    (tmp_path / "controlplane.yaml").write_text(text("controlplane"))
    (tmp_path / "app-1.yaml").write_text(text(host="app-1"))
    assert refs(tmp_path, WORKER) == ["File app-1.yaml"]
    assert refs(tmp_path, OTHER) == ["File worker.yaml"]


def test_differences_are_those_to_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(text())
    (tmp_path / "db.yaml").write_text(text(disk="/dev/sdb"))
    candidates = for_node(from_folder(tmp_path), WORKER, NODES)
    assert (
        nearest_differences(candidates, [{"machine": {"type": "worker", "install": {"disk": "/dev/sdb"}}}])
        == []
    )
    assert nearest_differences(
        candidates, [{"machine": {"type": "worker", "install": {"disk": "/dev/x"}}}]
    ) == ["v1alpha1.machine.install.disk differs"]


def test_a_configuration_for_nobody_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text(host="gone"))
    (tmp_path / "worker.yaml").write_text(text())
    assert [one.ref for one in unused(from_folder(tmp_path), NODES)] == ["File a.yaml"]


def test_terraform_says_what_it_applied_to_which_node() -> None:
    def applied(key: str, **values: object) -> Resource:
        return Resource("talos_machine_configuration_apply", "this", values, "state:x", key)

    known = from_terraform(
        [
            applied("a", node="10.0.0.21", machine_configuration=text()),
            applied("b", node="10.0.0.22", machine_configuration=text(host="app-2")),
            applied("c", node="10.0.0.23", machine_configuration=Unresolved("x")),
            applied("d", node="10.0.0.24"),
            Resource("hcloud_server", "x", {}, "state:y"),
        ]
    )
    assert [one.ref for one in known] == [
        'talos_machine_configuration_apply.this["a"]',
        'talos_machine_configuration_apply.this["b"]',
    ]
    assert [for_node(known, node, NODES)[0].ref[-4:-2] for node in (WORKER, OTHER)] == ['"a', '"b']


@pytest.mark.parametrize("content", [b"", b"- a\n", b"\xff\xfe", b"machine: [1]\n", b"{"])
def test_a_file_that_is_not_a_configuration_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "app-1.yaml").write_bytes(content)
    with pytest.raises(ProbeError, match=r"app-1\.yaml"):
        from_folder(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="no "):
        from_folder(tmp_path)
