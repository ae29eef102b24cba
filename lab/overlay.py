"""The lab's generated kustomize overlay: image digests and release key, upon gitops/overlays/lab."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.layout import PROJECT


BASE = PROJECT / "gitops" / "overlays" / "lab"
NAMES = {
    "policy-controller": "registry.platform.example/platform/policy-controller",
    "gateway": "registry.platform.example/platform/gateway",
    "public-api": "registry.platform.example/shop/public-api",
}


def _image(name: str, ref: str) -> dict[str, str]:
    repository, digest = ref.split("@")
    return {"name": NAMES[name], "newName": repository, "digest": digest}


def _release_key(public: str) -> dict[str, Any]:
    key = {"hashAlgorithm": "sha256", "data": public}
    return {
        "apiVersion": "policy.sigstore.dev/v1beta1",
        "kind": "ClusterImagePolicy",
        "metadata": {"name": "release-key"},
        "spec": {"authorities": [{"name": "release", "key": key}]},
    }


def write(folder: Path, refs: Mapping[str, str], public: str) -> None:
    """Write the overlay into `folder`.

    Args:
        folder: where `kustomization.yaml` goes.
        refs: `host:port/repository@sha256:<hex>` by image name.
        public: the release key, PEM.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(BASE.resolve(), folder.resolve())],
        "images": [_image(name, refs[name]) for name in sorted(NAMES)],
        "patches": [{"patch": yaml.safe_dump(_release_key(public))}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
