"""The reader of manifests.

Every place that can name an image, and YAML that two readers would take differently.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import AssumptionError, ProbeError
from assay.formats import yaml_text
from assay.formats.yaml_text import documents
from assay.probes.gitops.manifests import ImageUse, Manifests
from tests.unit.support.trees import tree, whole


DIGEST = "0123456789abcdef" * 4
ALLOWED = ["registry.example", "ghcr.io/ours"]


def faults(folder: Path, text: str, name: str = "a.yaml") -> list[str]:
    (folder / name).write_text(text, encoding="utf-8")
    found = [(use, use.fault(ALLOWED)) for use in Manifests([tree(folder)]).images()]
    return [use.ref.rpartition(":")[2] for use, fault in found if fault]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"image: registry.example/a@sha256:{DIGEST}\n", []),
        (f"image: registry.example/a:v1@sha256:{DIGEST}\n", []),
        ("a:\n  image: registry.example/a:v1\n", ["2"]),
        ("operatorImage: registry.example/a:v1\n", ["1"]),
        (f"image: ghcr.io/ours-not/a@sha256:{DIGEST}\n", ["1"]),
        (f"image: nginx@sha256:{DIGEST}\n", ["1"]),
        ("env:\n- name: RELATED_IMAGE_X\n  value: registry.example/a:v1\n", ["3"]),
        ("args:\n- --x\n- --image=registry.example/a:v1\n", ["3"]),
        ("data:\n  v.yaml: |\n    # note\n    image: registry.example/a:v1\n", ["4"]),
        ("data:\n  run: |\n    do x registry.example/a:v1\n", ["3"]),
        (f"image:\n  registry: ghcr.io\n  repository: ours/a\n  digest: sha256:{DIGEST}\n", []),
        ("image:\n  repository: registry.example/a\n  tag: v1\n", ["2"]),
        ('[{"image": "registry.example/a:v1"}]', ["1"]),
        (f"a: &x\n  image: registry.example/a@sha256:{DIGEST}\nb: *x\n", []),
    ],
)
def test_images_are_found_where_they_stand(tmp_path: Path, text: str, lines: list[str]) -> None:
    harmless = f"image: registry.example/z@sha256:{DIGEST}\n"
    (tmp_path / "z.yaml").write_text(harmless, encoding="utf-8")
    assert faults(tmp_path, text) == lines


def overlay(folder: Path, images: str) -> None:
    (folder / "base").mkdir()
    (folder / "over").mkdir()
    (folder / "base" / "a.yaml").write_text("image: registry.example/a\n", encoding="utf-8")
    (folder / "base" / "kustomization.yaml").write_text("resources: [a.yaml]\n", encoding="utf-8")
    (folder / "over" / "kustomization.yaml").write_text(f"resources: [../base]\n{images}", encoding="utf-8")


@pytest.mark.parametrize(
    ("images", "lines"),
    [
        (f"images:\n- name: registry.example/a\n  digest: sha256:{DIGEST}\n", []),
        (f"images:\n- name: registry.example/other\n  digest: sha256:{DIGEST}\n", ["1"]),
        ("images:\n- name: registry.example/a\n  newTag: v1\n", ["1", "4"]),
        ("", ["1"]),
    ],
)
def test_kustomize_replaces_images(tmp_path: Path, images: str, lines: list[str]) -> None:
    overlay(tmp_path, images)
    found = [use.ref.rpartition(":")[2] for use in Manifests([tree(tmp_path)]).images() if use.fault(ALLOWED)]
    assert sorted(found) == lines


def test_a_remote_base_is_not_in_the_tree(tmp_path: Path) -> None:
    text = "resources: ['https://git.example/x?ref=v1']\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    (found,) = Manifests([tree(tmp_path)]).unrendered()
    assert found.ref.endswith("kustomization.yaml:1")
    assert found.why == "https://git.example/x?ref=v1: a remote base, not rendered, so not judged"


def test_no_declared_registry_is_no_pass() -> None:
    with pytest.raises(AssumptionError):
        ImageUse("File a:1", f"a@sha256:{DIGEST}", "image field").fault([])


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    "raw",
    [
        b"a: 1\na: 2\n",
        b"a:\n\t- b\n",
        b"\xef\xbb\xbfa: 1\n",
        b"\xff\xfe",
        b"a: [\n",
        b"a: &x [*x]\n",
        BOMB.encode(),
        b"a: " + b"x" * (10 * 1024 * 1024),
        b"[" * 5000 + b"]" * 5000,
        b"? [a]\n: b\n",
        b"{{ template }}\n",
        b"a: *none\n",
    ],
    ids=itertools.count(),
)
def test_bad_yaml_is_an_error_with_a_remedy(
    tmp_path: Path, raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_text, "MOST_LEAVES", 2_000)
    (tmp_path / "a.yaml").write_bytes(raw)
    (tmp_path / "b.yaml").write_text("image: registry.example/a:v1\n")
    manifests = Manifests([tree(tmp_path)])
    assert [use.ref.rpartition("/")[2] for use in manifests.images()] == ["b.yaml:1"]
    with pytest.raises(ProbeError) as caught:
        whole(manifests, None)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ProbeError):
            Manifests([tree(path)]).images()


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        documents(text, "a.yaml")
    except ProbeError as error:
        if not error.remedy:
            raise


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["image", "x", "initImage"]), min_size=1, max_size=6))
def test_depth_hides_nothing(tmp_path: Path, path: list[str]) -> None:
    text = (
        "".join(f"{'  ' * n}{key}:\n" for n, key in enumerate(path))
        + f"{'  ' * len(path)}image: registry.example/a:v1\n"
    )
    assert faults(tmp_path, text) == [str(len(path) + 1)]
