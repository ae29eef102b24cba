"""Which places of manifests take a Secret into a pod."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.config.trees import source_trees
from assay.origins.secret_uses import uses
from assay.probes.gitops.manifests import Manifests


POD = "kind: Pod\nspec:\n  containers:\n    - env:\n        - valueFrom:\n            secretKeyRef: {}\n"
VOLUME = "kind: Pod\nspec:\n  volumes:\n    - secret: {}\n"
CASES = {
    "a variable": (POD, "{name: db, key: password}", ["db"]),
    "a variable that may be missing": (POD, "{name: db, key: password, optional: true}", []),
    "a variable that may not": (POD, "{name: db, key: password, optional: false}", ["db"]),
    "a volume": (VOLUME, "{secretName: tls}", ["tls"]),
    "a volume that may be missing": (VOLUME, "{secretName: tls, optional: true}", []),
}


@pytest.mark.parametrize(("manifest", "named", "found"), CASES.values(), ids=CASES)
def test_a_secret_that_must_be_there_is_used(
    manifest: str, named: str, found: list[str], tmp_path: Path
) -> None:
    (tmp_path / "pod.yaml").write_text(manifest.format(named))
    assert [one.secret for one in uses(Manifests(source_trees([tmp_path])))] == found
