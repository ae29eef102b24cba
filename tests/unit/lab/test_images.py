"""Images of the lab: same content, same digest; another content, another digest; the layout is complete."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from lab.deploy import stages
from lab.images import ALL, MissingBinaryError, build, sample
from lab.oci import Entry, Image, Layout
from lab.signing import signature_tag


def image(path: Path, mode: int = 0o755) -> Image:
    """Return an image of one file and one link."""
    entries = (Entry("usr/local/bin/tool", mode, path), Entry("bin/tool", link="/usr/local/bin/tool"))
    return Image("platform/tool", "1.0.0", entries, ("/usr/local/bin/tool",), "65532:65532")


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """Return a small program."""
    path = tmp_path / "tool"
    path.write_bytes(b"\x7fELF and so on")
    return path


def test_same_content_same_digest_in_another_folder_at_another_time(tmp_path: Path, tool: Path) -> None:
    first = Layout(tmp_path / "a").build(image(tool))
    os.utime(tool, (1, 1))
    assert Layout(tmp_path / "b").build(image(tool)) == first


def test_content_mode_and_path_each_change_the_digest(tmp_path: Path, tool: Path) -> None:
    layout = Layout(tmp_path / "a")
    digests = {layout.build(image(tool)), layout.build(image(tool, 0o700))}
    tool.write_bytes(b"another")
    digests.add(layout.build(image(tool)))
    assert len(digests) == 3


def test_every_blob_is_there_under_its_own_digest(tmp_path: Path, tool: Path) -> None:
    layout = Layout(tmp_path / "a")
    manifest = json.loads(layout.blob(layout.build(image(tool))).read_text())
    for blob in [manifest["config"], *manifest["layers"]]:
        raw = layout.blob(blob["digest"]).read_bytes()
        assert "sha256:" + hashlib.sha256(raw).hexdigest() == blob["digest"]
        assert len(raw) == blob["size"]


def test_layer_has_parent_folders_before_their_files_and_no_time_or_owner(tmp_path: Path, tool: Path) -> None:
    layout = Layout(tmp_path / "a")
    manifest = json.loads(layout.blob(layout.build(image(tool))).read_text())
    raw = layout.blob(manifest["layers"][0]["digest"]).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        members = tar.getmembers()
    names = [m.name for m in members]
    assert names == ["bin", "bin/tool", "usr", "usr/local", "usr/local/bin", "usr/local/bin/tool"]
    assert {(m.mtime, m.uid, m.gid) for m in members} == {(0, 0, 0)}


def test_index_names_an_image_once(tmp_path: Path, tool: Path) -> None:
    layout = Layout(tmp_path / "a")
    layout.build(image(tool))
    tool.write_bytes(b"newer")
    digest = layout.build(image(tool))
    (only,) = json.loads((tmp_path / "a/index.json").read_text())["manifests"]
    assert only["digest"] == digest


def test_missing_programs_are_all_named_before_anything_is_pushed(tmp_path: Path) -> None:
    with pytest.raises(MissingBinaryError, match=r"etcd.*pause"):
        build(tmp_path, tmp_path / "oci", {name: ALL[name] for name in ("pause", "etcd")}, "127.0.0.1:1")


def test_samples_differ_from_each_other(tmp_path: Path) -> None:
    (tmp_path / "pause").write_bytes(b"waits")
    layout = Layout(tmp_path / "a")
    made = [
        sample(tmp_path, "signed"),
        sample(tmp_path, "unsigned"),
        sample(tmp_path, "unsigned", content="b"),
    ]
    assert len({layout.build(each) for each in made}) == 3


def test_signatures_lie_beside_the_image() -> None:
    assert signature_tag("10.0.0.1:5000/shop/api@sha256:ab") == ("shop/api", "sha256-ab.sig")


def test_admission_is_deployed_before_what_it_admits() -> None:
    documents = [
        {"kind": "Deployment", "metadata": {"name": "api", "namespace": "shop"}},
        {"kind": "ClusterImagePolicy", "metadata": {"name": "release-key"}},
        {"kind": "Deployment", "metadata": {"name": "webhook", "namespace": "cosign-system"}},
        {"kind": "Namespace", "metadata": {"name": "shop"}},
        {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "policy.sigstore.dev"}},
    ]
    kinds = [[d["kind"] for d in stage] for stage in stages(documents)]
    assert kinds == [
        ["Namespace"],
        ["Deployment", "MutatingWebhookConfiguration"],
        ["ClusterImagePolicy"],
        ["Deployment"],
    ]
