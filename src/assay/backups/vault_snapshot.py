"""Whether a snapshot of Vault (raft) would restore: it opens, and its own checksums hold."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from pathlib import Path

from assay.formats.tools import tool_opens
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion


LARGEST = 1 << 30


def snapshot_fault(s3: S3, version: ObjectVersion, age: Path, identity: Path) -> str:
    """Return why a snapshot of Vault would not restore, empty where it opens and its own checksums hold.

    Raises:
        ProbeError: it could not be fetched, age does not run, or the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="assay-oldest-") as name:
        sealed, clear = s3.fetch(version, Path(name) / "sealed"), Path(name) / "clear"
        words = ["--decrypt", "--identity", identity, "--output", clear, sealed]
        return checksums(clear) if tool_opens(age, words) else "it does not open with the escrow key"


def checksums(archive: Path) -> str:
    """Return why the members of a raft snapshot are not what its SHA256SUMS says, empty where they are."""
    try:
        with tarfile.open(archive, "r:gz") as inside:
            contents = {
                one.name: stream.read(LARGEST) for one in inside if (stream := inside.extractfile(one))
            }
        rows = [line.split() for line in contents["SHA256SUMS"].decode("ascii").splitlines()]
        sums = {row[1]: row[0] for row in rows}
    except (OSError, EOFError, tarfile.TarError, KeyError, IndexError, UnicodeDecodeError, ValueError) as why:
        return f"it is no raft snapshot ({type(why).__name__})"
    if not {"state.bin", "meta.json"} <= set(sums):
        return "its checksums leave out the state"
    bad = [
        name for name, wanted in sums.items() if hashlib.sha256(contents.get(name, b"")).hexdigest() != wanted
    ]
    return f"the checksum of {bad[0]} does not hold" if bad else ""
