"""The reader of raw etcd snapshots, tried on a real one and on damaged copies of it."""

import contextlib
import gzip
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups import snapshot
from assay.errors import ProbeError
from assay.formats.bolt import DIGEST, Bolt


SECRETS = "/registry/secrets/"
RECORDED = gzip.decompress((Path(__file__).parent / "etcd-snapshot.db.gz").read_bytes())


def test_real_snapshot(tmp_path: Path) -> None:
    """40 living keys, as etcd's own tool counts: one deleted, one rewritten, one in clear."""
    path = tmp_path / "s.db"
    path.write_bytes(RECORDED)
    content = snapshot.read_snapshot(path, SECRETS)
    assert (content.count, content.superseded) == (40, 3)
    found = {one.key.rsplit("/", 1)[1]: one.provider for one in content.stored}
    assert (found["plain"], found["s4"], found["s5"], "s3" in found) == ("", "aescbc", "secretbox", False)
    assert {one.key.rsplit("/", 1)[1] for one in content.older} == {"s3", "s4"}
    assert snapshot.read_snapshot(path, "/registry/pods/").stored == ()


@given(cut=st.integers(0, len(RECORDED) - 1))
def test_cut_short(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A snapshot cut anywhere is refused."""
    path = tmp_path_factory.mktemp("s") / "s.db"
    path.write_bytes(RECORDED[:cut])
    with pytest.raises(ProbeError):
        snapshot.read_snapshot(path, SECRETS)


@given(at=st.integers(0, len(RECORDED) - DIGEST - 1), value=st.integers(0, 255))
def test_damage_under_a_right_checksum(at: int, value: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any damaged byte is refused or leaves a reading; nothing else ever comes out, and no endless walk."""
    body = bytearray(RECORDED[:-DIGEST])
    body[at] = value
    path = tmp_path_factory.mktemp("s") / "s.db"
    path.write_bytes(bytes(body) + hashlib.sha256(body).digest())
    with contextlib.suppress(ProbeError):
        snapshot.read_snapshot(path, SECRETS)


def test_wrong_checksum(tmp_path: Path) -> None:
    """One flipped bit is seen."""
    path = tmp_path / "s.db"
    path.write_bytes(RECORDED[:9000] + bytes([RECORDED[9000] ^ 1]) + RECORDED[9001:])
    with pytest.raises(ProbeError, match="checksum is wrong"):
        Bolt(path)


def test_no_such_bucket(tmp_path: Path) -> None:
    """A bbolt file of something else says so."""
    path = tmp_path / "s.db"
    path.write_bytes(RECORDED)
    with pytest.raises(ProbeError, match="no bucket"):
        list(Bolt(path).bucket(b"nothing"))
