"""Snapshots of Vault, offline: their own checksums."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

from assay.backups.vault_snapshot import checksums


def archive(path: Path, state: bytes = b"state", wanted: bytes = b"state") -> Path:
    meta = b"{}"
    sums = f"{hashlib.sha256(wanted).hexdigest()}  state.bin\n{hashlib.sha256(meta).hexdigest()}  meta.json\n"
    with tarfile.open(path, "w:gz") as out:
        for name, content in (("meta.json", meta), ("state.bin", state), ("SHA256SUMS", sums.encode())):
            about = tarfile.TarInfo(name)
            about.size = len(content)
            out.addfile(about, io.BytesIO(content))
    return path


def test_a_raft_snapshot_is_checked(tmp_path: Path) -> None:
    good = archive(tmp_path / "good")
    assert checksums(good) == ""
    assert "state.bin" in checksums(archive(tmp_path / "bad", b"other"))
    (tmp_path / "cut").write_bytes(good.read_bytes()[:-40])
    assert "no raft snapshot" in checksums(tmp_path / "cut")
    assert "no raft snapshot" in checksums(tmp_path / "absent")
