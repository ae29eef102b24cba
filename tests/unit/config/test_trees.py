"""A folder of several that is missing costs that folder: what stands in the others is judged all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.config.paths import Paths
from assay.config.sops_access import SopsAccess
from assay.config.trees import Trees
from assay.errors import ProbeError
from assay.origins.configmaps import ConfigMaps
from assay.probes.gitops.manifests import Manifests
from assay.probes.sops.client import Sops
from assay.probes.terraform.sources import TerraformSources


MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: shop}
data: {DB_PASSWORD: "%s"}
"""


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Return a folder with a ConfigMap and some Terraform; `gone` beside it is not there."""
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "map.yaml").write_text(MAP % "-".join(("kq9", "Lw2", "vR7z")))
    (folder / "main.tf").write_text('resource "hcloud_server" "a" {\n  name = "a"\n}\n')
    return folder


def test_encrypted_files_of_the_other_folders_are_read(there: Path) -> None:
    sops = Sops(SopsAccess(trees=(there.with_name("gone"),)), [there])
    entries = ConfigMaps(sops.everything, "").entries
    assert [one.key for one in entries] == ["DB_PASSWORD"]
    assert list(sops.gaps.unread) == ["Folder gone"]


def test_manifests_of_the_other_folders_are_read(there: Path) -> None:
    trees = Trees(Paths(gitops=(there.with_name("gone"), there))).gitops
    manifests = Manifests(trees, None, ())
    assert [path.name for path in manifests.files] == ["map.yaml"]
    assert "Folder gone" in manifests.gaps.unread


def test_resources_of_the_other_roots_are_read(there: Path) -> None:
    sources = TerraformSources(Trees(Paths(infra=(there.with_name("gone"), there))).infra)
    assert [one.name for one in sources.resources("hcloud_server")] == ["a"]
    assert "Folder gone" in sources.gaps.unread


@pytest.mark.parametrize("key", ["gitops", "infra", "repositories"])
def test_where_none_of_them_is_there_nothing_is_judged(tmp_path: Path, key: str) -> None:
    with pytest.raises(ProbeError, match="gone"):
        getattr(Trees(Paths(**{key: (tmp_path / "gone",)})), key)


def test_where_no_folder_of_sops_is_there_the_missing_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="gone: is not a folder"):
        _ = Sops(SopsAccess(trees=(tmp_path / "gone",)), []).everything
