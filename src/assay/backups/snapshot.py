"""What an etcd snapshot holds: its keys, and how each value begins.

Values never leave this module whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.bolt import Bolt
from assay.formats.tools import run_tool


STATUS_TIMEOUT_S = 60.0
HEAD = 24
REVISION = 17
TOMBSTONE = b"t"
KEY_FIELD, VALUE_FIELD = 1, 5
VARINT, BYTES = 0, 2
SHAPE = "this etcd stores its values in a shape unknown here"
ENCRYPTED = "k8s:enc:"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A living key of etcd.

    Its name, and the first 24 bytes of its value as text with other bytes as dots.
    """

    key: str
    head: str

    @property
    def provider(self) -> str:
        """Return `secretbox` of `k8s:enc:secretbox:v1:...`, or nothing where the value is in clear."""
        return self.head.removeprefix(ENCRYPTED).split(":")[0] if self.head.startswith(ENCRYPTED) else ""


@dataclass(frozen=True, slots=True)
class Content:
    """What was read of a snapshot.

    Attributes:
        count: how many living keys it holds.
        superseded: how many older revisions and deleted keys lie beside them.
        stored: the living keys below the prefix that was asked for, in key order.
        older: their earlier revisions, and those of keys deleted since, that a compaction has yet to remove.
    """

    count: int
    superseded: int
    stored: tuple[StoredObject, ...]
    older: tuple[StoredObject, ...]


def read_snapshot(path: Path, prefix: str) -> Content:
    """Return the content of a raw snapshot, every page of it read, its checksum checked.

    Args:
        path: the snapshot.
        prefix: of the keys whose values are looked at; of all others only their number is kept.

    Raises:
        ProbeError: not a snapshot, a broken one, or a shape not known here.
    """
    living: dict[bytes, str] = {}
    older: list[StoredObject] = []
    start, rows = prefix.encode(), 0
    for revision, raw in Bolt(path).bucket(b"key"):
        rows += 1
        if len(revision) not in {REVISION, REVISION + len(TOMBSTONE)}:
            raise ProbeError("a revision of the snapshot has another length", SHAPE)
        key, value = _record(raw)
        before = living.pop(key, None)
        if before:
            older.append(StoredObject(key.decode(errors="replace"), before))
        if revision[REVISION:] != TOMBSTONE:
            living[key] = _head(value) if key.startswith(start) else ""
    stored = sorted((key, head) for key, head in living.items() if key.startswith(start))
    kept = tuple(StoredObject(key.decode(errors="replace"), head) for key, head in stored)
    return Content(len(living), rows - len(living), kept, tuple(older))


def holds_key(path: Path, key: str, part: bytes, digest: bool = True) -> bool:
    """Return True if the newest value of `key` is alive and contains `part`.

    `digest`: as for `Bolt`; a restored database has none.

    Raises:
        ProbeError: no snapshot, a broken one, or a shape not known here.
    """
    found = False
    for revision, raw in Bolt(path, digest).bucket(b"key"):
        name, value = _record(raw)
        if name == key.encode():
            found = revision[REVISION:] != TOMBSTONE and part in value
    return found


def count_keys(etcdutl: Path, path: Path) -> int:
    """Return how many living keys etcd's own tool counts in the snapshot, after its own integrity check.

    Raises:
        ProbeError: the tool is not there or refuses the snapshot.
    """
    argv = [etcdutl, "snapshot", "status", path, "-w", "json"]
    done = run_tool(argv, STATUS_TIMEOUT_S, "etcdutl snapshot status", remedy="set etcdutl under [tools]")
    try:
        return int(json.loads(done.out)["totalKey"])
    except (ValueError, KeyError, TypeError, RecursionError) as why:
        raise ProbeError("etcdutl does not take the snapshot", "take the snapshot again") from why


def _head(value: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in value[:HEAD])


def _record(raw: bytes) -> tuple[bytes, bytes]:
    found = {KEY_FIELD: b"", VALUE_FIELD: b""}
    for number, content in _fields(raw):
        if number in found:
            found[number] = content
    if not found[KEY_FIELD]:
        raise ProbeError("an entry of the snapshot has no key", SHAPE)
    return found[KEY_FIELD], found[VALUE_FIELD]


def _fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        if tag & 7 == VARINT:
            _, at = _varint(raw, at)
        elif tag & 7 == BYTES:
            size, at = _varint(raw, at)
            if at + size > len(raw):
                raise ProbeError("an entry of the snapshot is cut short", SHAPE)
            yield tag >> 3, raw[at : at + size]
            at += size
        else:
            raise ProbeError(f"an entry of the snapshot has a field of wire type {tag & 7}", SHAPE)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(raw) or shift > 63:
            raise ProbeError("an entry of the snapshot is cut short", SHAPE)
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
