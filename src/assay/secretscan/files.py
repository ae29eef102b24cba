"""What a file holds as text: plain, UTF-16, in archives, compressed, in a PDF's streams, or between binary bytes."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from assay.errors import ProbeError


LARGEST = 64 * 1024 * 1024
DEEPEST = 4
PRINTABLE = re.compile(rb"[\x20-\x7e\t\r\n]{8,}")
STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
SHOWN = re.compile(r"\(((?:[^()\\]|\\.)*)\)")
# How archives and compressed streams start; zlib's own head is checked apart.
PACKED = (b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00")
POINTER = b"version https://git-lfs.github.com/spec/"


def is_packed(content: bytes) -> bool:
    """Return whether bytes start as an archive or a compressed stream does."""
    zlib_head = len(content) > 2 and content[0] == 0x78 and int.from_bytes(content[:2], "big") % 31 == 0
    return content.startswith(PACKED) or content[257:262] == b"ustar" or zlib_head


def file_texts(path: str, content: bytes, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of everything readable in a file; members of an archive as `path!member`.

    Raises:
        ProbeError: a broken or locked archive, one that unpacks to more than 64 MiB or is nested deeper than four
            times, or a pointer to a file that is somewhere else: it cannot be judged.
    """
    if depth > DEEPEST:
        raise ProbeError(f"{path}: archives within archives, deeper than {DEEPEST}", "unpack it")
    try:
        yield from _texts(path, content, depth)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ProbeError(
            f"{path}: cannot be unpacked: {type(error).__name__}", "repair or remove the archive"
        ) from error


def _texts(path: str, content: bytes, depth: int) -> Iterator[tuple[str, str]]:
    if content.startswith(POINTER):
        raise ProbeError(
            f"{path}: only a pointer, the file is in LFS", "fetch it: git lfs pull; judge the store too"
        )
    if content.startswith(b"PK\x03\x04"):
        for name, member in _zipped(path, content):
            yield from file_texts(f"{path}!{name}", member, depth + 1)
    elif content[257:262] == b"ustar":
        for name, member in _tarred(path, content):
            yield from file_texts(f"{path}!{name}", member, depth + 1)
    elif unpacked := _unpacked(path, content):
        yield from file_texts(re.sub(r"\.(gz|bz2|xz|tgz|zz)$", "", path), unpacked, depth + 1)
    elif content.startswith(b"%PDF-"):
        yield path, _of_pdf(content)
    else:
        yield path, _of_plain(content)


def _zipped(path: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _bounded(path, sum(one.file_size for one in archive.infolist()))
        yield from ((one.filename, archive.read(one)) for one in archive.infolist() if not one.is_dir())


def _tarred(path: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [one for one in archive.getmembers() if one.isfile()]
        _bounded(path, sum(one.size for one in members))
        for one in members:
            stream = archive.extractfile(one)
            yield one.name, stream.read() if stream else b""


def _unpacked(path: str, content: bytes) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(wbits=31)
        out = unpacker.decompress(content, LARGEST)
        if not unpacker.eof and len(out) < LARGEST:
            raise EOFError
    elif content.startswith(b"BZh") and content[4:10] == b"1AY&SY":
        out = bz2.BZ2Decompressor().decompress(content, LARGEST)
    elif content.startswith(b"\xfd7zXZ\x00"):
        out = lzma.LZMADecompressor().decompress(content, LARGEST)
    elif is_packed(content):
        out = _inflated(content)
    else:
        return b""
    _bounded(path, len(out) + 1)
    return out


def _inflated(content: bytes) -> bytes:
    """Return what a zlib stream holds, empty where it only starts like one: its head is two characters."""
    try:
        return zlib.decompressobj().decompress(content, LARGEST)
    except zlib.error:
        return b""


def _bounded(path: str, size: int) -> None:
    if size > LARGEST:
        raise ProbeError(f"{path}: unpacks to more than {LARGEST} bytes", "keep artifacts out of Git")


def _of_pdf(content: bytes) -> str:
    parts = [content.decode("latin-1")]
    for match in STREAM.finditer(content):
        try:
            parts.append(zlib.decompressobj().decompress(match.group(1), LARGEST).decode("latin-1"))
        except zlib.error:
            continue  # an image or another filter; its raw bytes are in the first part
    shown = ["".join(SHOWN.findall(line)) for part in parts for line in part.splitlines()]
    return "\n".join(line for line in shown if line)


def _of_plain(content: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    if b"\0" in content[:8000]:
        return "\n".join(match.decode("ascii") for match in PRINTABLE.findall(content))
    return content.decode("utf-8", "replace")
