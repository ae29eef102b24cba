"""Control planes as Cluster API, Omni and talhelper declare them."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.probes.talos.control_planes import planes_below


TEXTS = {
    "talhelper": ("clusterName: c\nnodes:\n  - {hostname: a, controlPlane: true}\n  - {hostname: b}\n", [1]),
    "talhelper without any": ("clusterName: c\nnodes:\n  - {hostname: b, controlPlane: false}\n", [0]),
    "Cluster API": (
        "apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: TalosControlPlane\nspec: {replicas: 3}\n",
        [3],
    ),
    "Cluster API, usual number": (
        "apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: KubeadmControlPlane\nspec: {version: v1}\n",
        [1],
    ),
    "a template of one": (
        "apiVersion: controlplane.cluster.x-k8s.io/v1\nkind: KubeadmControlPlaneTemplate\nspec: {a: b}\n",
        [],
    ),
    "a topology": (
        "apiVersion: cluster.x-k8s.io/v1\nkind: Cluster\nspec: {topology: {controlPlane: {replicas: 5}}}\n",
        [5],
    ),
    "a number that is filled in": (
        "apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: TalosControlPlane\nspec: {replicas: $N}\n",
        [None],
    ),
    "Omni by machine": ("kind: ControlPlane\nmachines: [a, b, c]\n", [3]),
    "Omni by class": ("kind: ControlPlane\nmachineClass: {name: cp, size: 3}\n", [3]),
    "something else": ("apiVersion: v1\nkind: ConfigMap\ndata: {nodes: x}\n", []),
    "a template": ("{{ if }}: [\n", []),
}


@pytest.mark.parametrize(("text", "counts"), TEXTS.values(), ids=TEXTS)
def test_declarations(text: str, counts: list[int | None], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert [one.count for one in planes_below(tmp_path)] == counts


def test_a_declaration_is_named_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: b\n---\nkind: ControlPlane\nmachines: [a]\n")
    assert [one.ref for one in planes_below(tmp_path)] == [f"File {tmp_path.name}/a.yaml:3"]
