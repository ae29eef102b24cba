"""The lab's generated kustomize overlay: image digests and release key, on top of gitops/overlays/lab."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.layout import image, name_of, source
from lab.parts.part import Part


BASE = "gitops/overlays/lab"
IMAGES = {
    "policy-controller": image("platform/policy-controller"),
    "gateway": image("platform/gateway"),
    "public-api": image("shop/public-api"),
}


def _image(name: str, ref: str) -> dict[str, str]:
    repository, digest = ref.split("@")
    return {"name": name, "newName": repository, "digest": digest}


def _release_key(public: str) -> dict[str, Any]:
    key = {"hashAlgorithm": "sha256", "data": public}
    return {
        "apiVersion": "policy.sigstore.dev/v1beta1",
        "kind": "ClusterImagePolicy",
        "metadata": {"name": name_of("ClusterImagePolicy", "release-key")},
        "spec": {"authorities": [{"name": "release", "key": key}]},
    }


def write(folder: Path, refs: Mapping[str, str], public: str, parts: Iterable[Part] = ()) -> None:
    """Write the overlay into `folder`, and one per part into folders below it.

    Args:
        folder: where `kustomization.yaml` goes.
        refs: `host:port/repository@sha256:<hex>` by image name.
        public: the release key, PEM.
        parts: the parts that the lab is started with; those without manifests get no folder.
    """
    shown = [part for part in parts if part.folders]
    for part in shown:
        bases = [source(f"gitops/{one}") for one in part.folders]
        _kustomization(folder / part.name, bases, part.names, refs)
    below = [folder / part.name for part in shown]
    patch = {"patch": yaml.safe_dump(_release_key(public))}
    _kustomization(folder, [source(BASE), *below], IMAGES, refs, [patch])


def _kustomization(
    folder: Path,
    bases: Iterable[Path],
    names: Mapping[str, str],
    refs: Mapping[str, str],
    patches: Iterable[dict[str, str]] = (),
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "labels": [{"pairs": {name_of("Label", "platform.example/stack"): name_of("Stack", "lab")}}],
        "resources": [os.path.relpath(base.resolve(), folder.resolve()) for base in bases],
        "images": [_image(names[name], refs[name]) for name in sorted(names)],
        "patches": list(patches),
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
