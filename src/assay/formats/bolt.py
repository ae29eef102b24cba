"""A reader of bbolt files, as etcd snapshots are: every key of a bucket, checksums checked.

Nothing is written, nothing is run.

The format: pages of one size; pages 0 and 1 are two copies of the meta page, of which the one with the
higher transaction counts; a bucket is a tree of branch and leaf pages, a small one lies inline in its
parent's leaf. Snapshots taken by etcd's API carry the SHA-256 of everything before it as their last 32
bytes.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from assay.errors import ProbeError


MAGIC, VERSION = 0xED0CDAED, 2
BRANCH, LEAF, META = 0x01, 0x02, 0x04
IS_BUCKET = 0x01
PAGE = struct.Struct("<QHHI")
BRANCH_ITEM = struct.Struct("<IIQ")
LEAF_ITEM = struct.Struct("<IIII")
BUCKET = struct.Struct("<QQ")
HEAD = struct.Struct("<IIIIQQQQQ")
DIGEST = hashlib.sha256().digest_size
SECTOR = 512
MAX_TREE_DEPTH = 64
BROKEN = "take the snapshot again"


class Bolt:
    """One bbolt file, mapped into memory and read page by page as it is asked for."""

    def __init__(self, path: Path, digest: bool = True) -> None:
        """Read and check `path`; `digest`: it ends in the checksum that snapshots by the API carry.

        Raises:
            ProbeError: not readable, checksum wrong, or not a bbolt file.
        """
        self._data = _mapped(path)
        if digest:
            _check_digest(self._data)
        self._size, self._root = self._meta()

    def bucket(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of every entry of the top-level bucket `name`, in key order.

        Raises:
            ProbeError: there is no such bucket, or a page is broken.
        """
        for key, value, flags in self._walk(self._page(self._root), 0):
            if key == name and flags & IS_BUCKET:
                yield from self._entries(value)
                return
        raise ProbeError(
            f"the snapshot has no bucket {name.decode(errors='replace')!r}", "is it a snapshot of etcd v3?"
        )

    def _entries(self, value: memoryview) -> Iterator[tuple[bytes, bytes]]:
        root, _ = _unpack(BUCKET, value, 0)
        page = value[BUCKET.size :] if root == 0 else self._page(root)
        for key, content, flags in self._walk(page, 0):
            if not flags & IS_BUCKET:
                yield key, bytes(content)

    def _walk(self, page: memoryview, depth: int) -> Iterator[tuple[bytes, memoryview, int]]:
        if depth > MAX_TREE_DEPTH:
            raise ProbeError("the snapshot's pages run in a circle", BROKEN)
        _, flags, count, _ = _unpack(PAGE, page, 0)
        if flags & BRANCH:
            for number in range(count):
                _, _, child = _unpack(BRANCH_ITEM, page, PAGE.size + number * BRANCH_ITEM.size)
                yield from self._walk(self._page(child), depth + 1)
        elif flags & LEAF:
            yield from _leaf(page, count)
        else:
            raise ProbeError(f"the snapshot has a page of kind {flags:#x} where data must be", BROKEN)

    def _page(self, number: int) -> memoryview:
        start = number * self._size
        if start + PAGE.size > len(self._data):
            raise ProbeError("the snapshot ends before one of its pages", BROKEN)
        found, _, _, overflow = _unpack(PAGE, self._data, start)
        if found != number:
            raise ProbeError("a page of the snapshot is not where it says", BROKEN)
        return self._data[start : start + (overflow + 1) * self._size]

    def _meta(self) -> tuple[int, int]:
        found = []
        for offset in (0, *self._second_meta()):
            magic, version, size, _, root, _, _, _, txid = _unpack(HEAD, self._data, offset + PAGE.size)
            (checksum,) = _unpack(struct.Struct("<Q"), self._data, offset + PAGE.size + HEAD.size)
            body = bytes(self._data[offset + PAGE.size : offset + PAGE.size + HEAD.size])
            if magic == MAGIC and version == VERSION and checksum == _fnv64a(body):
                found.append((txid, size, root))
        if not found:
            raise ProbeError("the snapshot is not a bbolt file, or both its meta pages are broken", BROKEN)
        _, size, root = max(found)
        return size, root

    def _second_meta(self) -> list[int]:
        return [size for size in (4096, 8192, 16384, 32768, 65536) if len(self._data) >= 2 * size]


def _leaf(page: memoryview, count: int) -> Iterator[tuple[bytes, memoryview, int]]:
    for number in range(count):
        at = PAGE.size + number * LEAF_ITEM.size
        flags, position, key, value = _unpack(LEAF_ITEM, page, at)
        start = at + position
        if start + key + value > len(page):
            raise ProbeError("an entry of the snapshot reaches beyond its page", BROKEN)
        yield bytes(page[start : start + key]), page[start + key : start + key + value], flags


def _unpack(shape: struct.Struct, data: memoryview, at: int) -> tuple[int, ...]:
    try:
        return shape.unpack_from(data, at)
    except struct.error as why:
        raise ProbeError("the snapshot is cut short", BROKEN) from why


def _mapped(path: Path) -> memoryview:
    """Return the file's bytes without reading them: the largest snapshot costs no memory of its own."""
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except ValueError as why:
        raise ProbeError("the snapshot is empty", BROKEN) from why
    except OSError as why:
        raise ProbeError(f"the snapshot cannot be read: {why.strerror}", BROKEN) from why


def _check_digest(data: memoryview) -> None:
    if len(data) % SECTOR != DIGEST:
        raise ProbeError(
            "the snapshot lacks the checksum that etcd's API puts at its end",
            "take it by the API, not by copying the file",
        )
    if hashlib.sha256(data[:-DIGEST]).digest() != data[-DIGEST:]:
        raise ProbeError("the snapshot's checksum is wrong", BROKEN)


def _fnv64a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
