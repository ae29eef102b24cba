"""What an object holds once its packing is undone, as far as its beginning shows: gzip, LZ4, armour."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator


GZIP, LZ4 = b"\x1f\x8b", b"\x04\x22\x4d\x18"
MOST = 1 << 20
# age's, OpenPGP's and openssl's text forms: a line that says which, lines `Key: value`, an empty one, base64.
ARMOUR = re.compile(
    rb"-----BEGIN (?:AGE ENCRYPTED FILE|PGP MESSAGE)-----\r?\n(?:(?:[\w-]+: [^\n]*\n)*\r?\n)?"
)
SALTED_TEXT = b"U2FsdGVkX1"
OTHER = re.compile(rb"[^A-Za-z0-9+/]")


def unpacked(head: bytes) -> bytes:
    """Return the beginning of what is packed in an object of which `head` is the beginning.

    At most 1 MiB; `head` itself where it is neither gzip nor an LZ4 frame.
    """
    if head.startswith(GZIP):
        try:
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, MOST)
        except zlib.error:
            return head
    return bytes(_of_frame(head)) if head.startswith(LZ4) else head


def _of_frame(head: bytes) -> bytearray:
    """Return what the blocks of an LZ4 frame hold: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md."""
    found, flags = bytearray(), int.from_bytes(head[4:5], "little")
    at = 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)
    while at + 4 <= len(head) and len(found) < MOST:
        size = int.from_bytes(head[at : at + 4], "little")
        length = size & 0x7FFFFFFF
        if not length:
            break
        block = head[at + 4 : at + 4 + length]
        if size & 0x80000000:
            found += block
        else:
            _of_block(block, found)
        at += 4 + length + (4 if flags & 0x10 else 0)
    return found


def _of_block(block: bytes, found: bytearray) -> None:
    """Add what a compressed block of LZ4 holds, up to where it is cut off."""
    at = 0
    while at < len(block) and len(found) < MOST:
        token = block[at]
        literals, at = _length(block, at + 1, token >> 4)
        found += block[at : at + literals]
        at += literals
        back = int.from_bytes(block[at : at + 2], "little")
        if at + 2 > len(block) or not 0 < back <= len(found):
            return
        matched, at = _length(block, at + 2, token & 15)
        for _ in range(min(matched + 4, MOST)):
            found.append(found[-back])


def _length(block: bytes, at: int, short: int) -> tuple[int, int]:
    while short >= 15 and at < len(block):
        short, at = short + block[at], at + 1
        if block[at - 1] != 255:
            break
    return short, at


def is_armoured(head: bytes) -> bool:
    """Return whether an object is ciphertext as text: age's, OpenPGP's or openssl's form."""
    return head.startswith(SALTED_TEXT) or ARMOUR.match(head) is not None


def dearmoured(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of an object piece by piece, without the armour where it has one.

    What stands behind the armour's end is not yielded: it is no part of the message.
    """
    first, held, ahead = True, b"", iter(pieces)
    for piece in ahead:
        if first:
            first, start = False, ARMOUR.match(piece)
            if not is_armoured(piece):
                yield piece
                yield from ahead
                return
            piece = piece[start.end() :] if start else piece
        text, ends, _ = piece.partition(b"-")
        held += OTHER.sub(b"", text.partition(b"\n=")[0])
        whole = len(held) // 4 * 4
        yield base64.b64decode(held[:whole])
        held = held[whole:]
        if ends:
            break
    yield _tail(held)


def _tail(held: bytes) -> bytes:
    try:
        return base64.b64decode(held + b"=" * (-len(held) % 4))
    except binascii.Error:
        return b""
