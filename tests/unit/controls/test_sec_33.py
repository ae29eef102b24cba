"""SEC-33's static half on platforms whose machine configuration is rendered elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.config.paths import Paths
from assay.config.platform import Platform
from assay.config.trees import SourceTree, Trees
from assay.model import Record, Tier, Verdict
from assay.probes.gitops.manifests import Manifests
from tests.unit.support.judging import judged


JOB = """
apiVersion: batch/v1
kind: CronJob
metadata: {namespace: backups, name: etcd, annotations: {assay.dev/backup-of: etcd}}
spec: {schedule: "*/30 * * * *", jobTemplate: {spec: {template: {spec: {}}}}}
"""


def rendered(*roles: str) -> SimpleNamespace:
    access = {"kind": "KubeTalosAPIAccessConfig", "allowedRoles": list(roles)}
    older = {"machine": {"features": {"kubernetesTalosAPIAccess": {"allowedRoles": list(roles)}}}}
    return SimpleNamespace(ref="File cp-1.yaml", documents=(older if "old" in roles else access,))


def verdict(
    folder: Path, *configurations: SimpleNamespace, talos: Path | None = None, further: tuple[str, ...] = ()
) -> tuple[Verdict, str, Record]:
    (folder / "gitops").mkdir()
    (folder / "gitops" / "job.yaml").write_text(JOB)
    stack = SimpleNamespace(
        platform=Platform(pod_roles=further),
        manifests=Manifests([SourceTree(folder / "gitops", "gitops")]),
        paths=Trees(Paths(talos=talos)),
        rendered_if_any=configurations,
    )
    return judged("SEC-33", Tier.STATIC, stack)


@pytest.mark.parametrize(("roles", "further", "wanted"), [
    (("os:etcd:backup",), (), Verdict.PASS), (("os:etcd:backup", "os:reader"), (), Verdict.FAIL),
    (("os:etcd:backup", "os:reader"), ("os:reader",), Verdict.PASS),
    (("os:admin",), ("os:admin",), Verdict.FAIL),
    (("old", "os:admin"), ("old",), Verdict.FAIL),
])  # fmt: skip
def test_what_pods_may_ask_for_is_read_from_rendered_configurations(
    tmp_path: Path, roles: tuple[str, ...], further: tuple[str, ...], wanted: Verdict
) -> None:
    found, said, _ = verdict(tmp_path, rendered(*roles), further=further)
    assert found is wanted
    assert ("File cp-1.yaml: pods may ask for" in said) == (wanted is Verdict.FAIL)


def test_a_patch_of_the_newer_shape_is_read_whatever_its_file_ends_in(tmp_path: Path) -> None:
    (tmp_path / "talos").mkdir()
    text = "apiVersion: v1alpha1\nkind: KubeTalosAPIAccessConfig\nallowedRoles: [os:admin]\n"
    (tmp_path / "talos" / "access.yml").write_text(text)
    found, said, _ = verdict(tmp_path, talos=tmp_path / "talos")
    assert found is Verdict.FAIL
    assert "File talos/access.yml" in said


def test_without_any_machine_configuration_there_is_no_pass(tmp_path: Path) -> None:
    found, said, _ = verdict(tmp_path)
    assert found is Verdict.ERROR
    assert "the machine configuration" in said
