"""Values of ConfigMaps: where they are written, how they are generated, which may stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.config.sops_access import SopsAccess
from assay.errors import ProbeError
from assay.origins.configmaps import ConfigMaps, configmap_faults
from assay.probes.sops.client import Sops
from assay.proof.sops_sample import PASSWORD


MARK = "assay.dev/sensitive"


def found(folder: Path, *sensitive: str) -> list[str]:
    """Return the names of what may not stay."""
    entries = ConfigMaps(Sops(SopsAccess(), [folder]).everything, MARK).entries
    return [fault.ref.partition("/")[2] for fault in configmap_faults(entries, sensitive)]


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        (f"url: postgres://u:{PASSWORD}@db/x", True),
        ("url: postgres://db/x", False),
        (f"SMTP_PASSWORD: {PASSWORD}", True),
        ("SMTP_PASSWORD_FILE: /run/secrets/smtp", False),
        (f"conf: 'password = {PASSWORD}'", True),
        ("level: debug", False),
        ("run.py: 'PASSWORD = (KIT / \"passphrase\").read_text().strip()'", False),
        (f"run.py: 'PASSWORD = \"{PASSWORD}\"'", True),
    ],
)
def test_values_by_name_and_shape(line: str, bad: bool, tmp_path: Path) -> None:
    """A value is judged by its key, by its shape, and by the assignments in it."""
    (tmp_path / "one.yaml").write_text(f"kind: ConfigMap\nmetadata: {{name: one}}\ndata:\n  {line}\n")
    assert found(tmp_path) == (["one.yaml:4"] if bad else [])


def test_declared_ones(tmp_path: Path) -> None:
    """What is declared sensitive may hold no value in clear at all."""
    (tmp_path / "one.yaml").write_text(
        "kind: ConfigMap\nmetadata: {name: bank, namespace: a}\ndata: {x: y}\n"
    )
    assert found(tmp_path, "a/bank") == ["one.yaml:3"]
    assert not found(tmp_path, "b/bank")


def test_a_generator_without_its_file(tmp_path: Path) -> None:
    """What cannot be read cannot be judged."""
    text = "kind: Kustomization\nconfigMapGenerator:\n- name: one\n  files: [gone.conf]\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    with pytest.raises(ProbeError):
        found(tmp_path)
