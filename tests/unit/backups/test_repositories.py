"""Encrypted repositories of backup tools: known by what their configuration holds, not by its name."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from assay.backups.ciphertext import plain_objects
from assay.backups.repositories import BucketContent
from assay.errors import ProbeError
from assay.probes.s3.facts import ObjectVersion


Pack = Callable[[bytes], bytes]
NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
RANDOM = hashlib.shake_256(b"blob").digest(6000)
KOPIA = {
    "tool": "https://github.com/kopia/kopia", "uniqueID": "a", "keyAlgo": "scrypt-65536-8-1", "version": "1",
    "encryption": "AES256_GCM", "encryptedBlockFormat": "YWJj",
}  # fmt: skip
RESTIC = {"created": "2026", "kdf": "scrypt", "N": 32768, "r": 8, "p": 1, "salt": "YQ==", "data": "YWJj"}
WALG = {"LSN": 1, "PgVersion": 180000, "FinishLSN": 2, "SystemIdentifier": 3}
ID = "a" * 64


class Store:
    """A bucket that holds these objects."""

    def __init__(self, **objects: object) -> None:
        self.stored = {key: body if isinstance(body, bytes) else json.dumps(body).encode()
                       for key, body in objects.items()}  # fmt: skip

    def head(self, version: ObjectVersion, most: int = 4096) -> bytes:
        return self.stored[version.key][:most]

    def heads(self, versions: Sequence[ObjectVersion]) -> list[tuple[ObjectVersion, bytes]]:
        return [(one, self.head(one)) for one in versions]

    def versions(self) -> list[ObjectVersion]:
        return [
            ObjectVersion("b", key, "1", len(body), NOON + dt.timedelta(seconds=n), latest=True)
            for n, (key, body) in enumerate(self.stored.items())
        ]


def plain(**objects: object) -> list[str]:
    """Return the objects of a bucket with these that are not ciphertext."""
    store: Any = Store(**objects)
    content = BucketContent()
    versions = list(content.watch(store.versions()))
    return [
        one.ref.removeprefix("Object b/")
        for one in plain_objects(store, versions, content.repositories(store))
    ]


@pytest.mark.parametrize("objects", [
    {"kopia.repository": KOPIA, "p1": RANDOM, "q/x": RANDOM[7:]},
    {"velero/kopia/shop/kopia.repository": KOPIA, "velero/kopia/shop/pa": RANDOM},
    {"config": RANDOM[:155], f"keys/{ID}": RESTIC, f"data/aa/{ID}": RANDOM},
    {"pg/basebackups_005/base_1_backup_stop_sentinel.json": WALG,
     "pg/basebackups_005/base_1/metadata.json": {"hostname": "db-0", "pg_version": 180000},
     "pg/wal_005/1.lz4": RANDOM},
], ids=["kopia", "kopia below a prefix", "restic", "WAL-G"])  # fmt: skip
def test_a_repository_of_a_known_tool_is_ciphertext(objects: dict[str, object]) -> None:
    assert plain(**objects) == []


@pytest.mark.parametrize(("objects", "wrong"), [
    ({"p1": RANDOM}, ["p1"]),
    ({"kopia.repository": {**KOPIA, "encryption": "NONE"}, "p1": RANDOM}, ["kopia.repository", "p1"]),
    ({"kopia.repository": b"CREATE TABLE orders", "p1": RANDOM}, ["kopia.repository", "p1"]),
    ({"kopia.repository": {**KOPIA, "dump": "a row"}, "p1": RANDOM}, ["kopia.repository"]),
    ({"kopia.repository": KOPIA, "p1": b"INSERT INTO orders " * 99}, ["p1"]),
    ({"kopia.repository": KOPIA, "p1": gzip.compress(RANDOM)}, ["p1"]),
    ({"kopia.repository": KOPIA, "p1": b""}, ["p1"]),
    ({"in/kopia.repository": KOPIA, "out/p1": RANDOM}, ["out/p1"]),
    ({f"keys/{ID}": {**RESTIC, "kdf": ""}, "data/aa/x": RANDOM}, [f"keys/{ID}", "data/aa/x"]),
    ({"basebackups_005/b_backup_stop_sentinel.json": WALG, "wal_005/1.br": RANDOM}, ["wal_005/1.br"]),
    ({"basebackups_005/b_backup_stop_sentinel.json": WALG, "wal_005/1.lz4": b"\x04\x22\x4d\x18" + RANDOM},
     ["wal_005/1.lz4"]),
], ids=["no repository", "unencrypted", "in name only", "more in clear", "readable blob", "archive", "empty",
        "beside it", "no key derivation", "brotli", "compressed only"])  # fmt: skip
def test_what_only_looks_like_one_is_not(objects: dict[str, object], wrong: list[str]) -> None:
    assert plain(**objects) == wrong


def test_the_newest_info_of_pgbackrest_is_what_the_passphrase_opens() -> None:
    store: Any = Store(**{"backup.info": RANDOM, "archive/1": RANDOM})
    content = BucketContent()
    list(content.watch(store.versions()))
    assert content.newest is not None
    assert (content.newest.key, getattr(content.to_open(), "key", "")) == ("archive/1", "backup.info")
    assert BucketContent().to_open() is None


def test_repositories_without_end_are_an_error() -> None:
    content = BucketContent()
    store = Store(**{f"{n}/kopia.repository": b"" for n in range(1001)})
    with pytest.raises(ProbeError, match="more than 1000 repositories"):
        list(content.watch(store.versions()))


VOLUME = "backupstore/volumes/3f/a1/pvc-1/"
BLOCK = f"{VOLUME}blocks/0a/1b/0a1b.blk"
CONFIG = {"Name": "pvc-1", "Size": "2147483648", "CreatedTime": "2026", "CompressionMethod": "lz4"}
BACKUP = {
    "Name": "backup-1",
    "VolumeName": "pvc-1",
    "Blocks": [{"Offset": n, "BlockChecksum": ID} for n in range(200)],
}
PAGE = hashlib.shake_256(b"page").digest(32_768)
ROWS = b"INSERT INTO orders VALUES (1, 'somebody', 'a street'); " * 4000


def lz4(block: bytes) -> bytes:
    """Return an LZ4 frame: runs of zeros packed, all else as it is, and its last piece in a raw block."""
    found = b""
    for piece in re.findall(rb"\0{64,}|(?:(?!\0{64})(?s:.))+", block):
        hole = not piece.strip(b"\0")
        literals, matched = (b"\0", len(piece) - 1) if hole else (piece, 0)
        token = min(len(literals), 15) << 4 | (min(max(matched - 4, 0), 15))
        packed = bytes([token]) + _more(len(literals)) + literals
        packed += b"\1\0" + _more(matched - 4) if hole else b""
        size = len(packed) if hole else len(piece) | 0x80000000
        found += size.to_bytes(4, "little") + (packed if hole else piece)
    return b"\x04\x22\x4d\x18\x60\x70\x73" + found + bytes(4)


def _more(length: int) -> bytes:
    return b"" if length < 15 else b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255])


def longhorn(block: bytes) -> list[str]:
    return plain(**{
        f"{VOLUME}volume.cfg": CONFIG, f"{VOLUME}backups/backup_backup-1.cfg": BACKUP, BLOCK: block,
    })  # fmt: skip


@pytest.mark.parametrize("pack", [lz4, gzip.compress, bytes], ids=["lz4", "gzip", "none"])
@pytest.mark.parametrize("block", [
    PAGE, PAGE[:8192] + bytes(65_536) + PAGE[8192:], bytes(65_536) + PAGE,
    b"LUKS\xba\xbe\0\2" + bytes(4096) + ROWS,
], ids=["full", "with a hole", "begins with a hole", "header of LUKS"])  # fmt: skip
def test_blocks_of_an_encrypted_volume_are_ciphertext_however_packed(block: bytes, pack: Pack) -> None:
    assert longhorn(pack(block)) == []


@pytest.mark.parametrize("pack", [lz4, gzip.compress, bytes], ids=["lz4", "gzip", "none"])
def test_blocks_of_a_volume_in_clear_are_not(pack: Pack) -> None:
    assert longhorn(pack(ROWS)) == [BLOCK]
    assert longhorn(pack(bytes(4096) + ROWS)) == [BLOCK]


def test_a_block_beside_no_volume_of_longhorns_is_judged_as_any_object() -> None:
    assert plain(**{BLOCK: lz4(PAGE)}) == [BLOCK]
