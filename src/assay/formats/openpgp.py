"""The beginning of an OpenPGP message (RFC 9580), as gpg and WAL-G write it; binary, not armoured."""

from __future__ import annotations


# A session key for a public key or for a passphrase, then the encrypted data: whole, or in pieces.
SESSION_KEYS, DATA = (1, 3), (18, 20)
VERSIONS = {1: (3, 6), 3: (4, 5, 6), 18: (1, 2), 20: (1,)}
MAX_KEYS = 64


def behind(head: bytes) -> bytes | None:
    """Return what of `head` is ciphertext of an OpenPGP message, None where it does not begin as one.

    A head that ends among the session keys holds no ciphertext: nothing is returned but an empty text.
    """
    at, keys = 0, 0
    while keys <= MAX_KEYS:
        packet = _packet(head, at)
        if packet is None:
            return None if keys == 0 else b""
        tag, start, length = packet
        if start < len(head) and head[start] not in VERSIONS.get(tag, ()):
            return None
        if tag in DATA:
            return head[start + 1 :] if keys else None
        if tag not in SESSION_KEYS or length is None:
            return None
        at, keys = start + length, keys + 1
    return None


def _packet(head: bytes, at: int) -> tuple[int, int, int | None] | None:
    """Return (tag, where the body begins, its length; None: in pieces or to the end), None: no packet."""
    if at + 1 >= len(head) or not head[at] & 0x80:
        return None
    first, second = head[at], head[at + 1]
    if first & 0x40:
        if second < 192:
            return first & 0x3F, at + 2, second
        if second < 224:
            return (
                (first & 0x3F, at + 3, (second - 192 << 8) + head[at + 2] + 192)
                if at + 2 < len(head)
                else None
            )
        size = int.from_bytes(head[at + 2 : at + 6], "big")
        return (first & 0x3F, at + 6, size) if second == 255 else (first & 0x3F, at + 2, None)
    width = {0: 1, 1: 2, 2: 4}.get(first & 3, 0)
    length = int.from_bytes(head[at + 1 : at + 1 + width], "big") if width else None
    return first >> 2 & 0x0F, at + 1 + width, length
