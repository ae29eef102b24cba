"""Whether a value is a secret in clear: by its shape, by its name, and below every common encoding."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

from assay.secretscan.naming import is_mixed, is_strong, looks_like_secret
from assay.secretscan.tokens import hits


DEEPEST = 4
WITHHELD = "[withheld]"
LARGEST = 8 * 1024 * 1024
BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{16,}={0,2}(?![A-Za-z0-9+/_=-])")
HEX = re.compile(r"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{2}){12,}(?![0-9a-fA-F])")
PAIR = re.compile(
    r"(?P<open>[\"']?)(?P<key>[A-Za-z_][\w.-]{1,60})(?P=open)\s*(?:=>|:=|=|:)\s*"
    r"(?:\"(?P<d>(?:[^\"\\\n]|\\.)*)\"|'(?P<s>[^'\n]*)'|(?P<u>[^\s\"'#,;{}\[\]]+))"
)


def detect_secret(name: str, value: str, depth: int = 0) -> str:
    """Return why `value`, found under `name`, is a secret in clear; empty where it is none.

    The answer names a rule and the encodings around the secret, never the secret.
    """
    if looks_like_secret(name, value):
        return f"a value under the name {name}"
    return detect_in_text(value, depth)


def detect_in_text(text: str, depth: int = 0) -> str:
    """Return why a text without a name holds a secret in clear; empty where it holds none."""
    first = next(hits(text), None)
    if first is not None:
        return first.rule
    if depth:
        for key, value in name_value_pairs(text):
            if looks_like_secret(key, value):
                return f"a value under the name {key}"
    if depth >= DEEPEST:
        return ""
    for how, inner in layers(text):
        found = detect_in_text(inner, depth + 1)
        if found:
            return f"{found}, below {how}"
    return ""


def repeated(words: str, most: int = 200) -> str:
    """Return what a server or a tool said, on one line of `most` characters, without what may be a secret."""
    line = " ".join(WITHHELD if _random(word) or detect_in_text(word, 1) else word for word in words.split())
    return WITHHELD if detect_in_text(line, 1) else line[:most]


def _random(word: str) -> bool:
    """Return whether nobody would write a word of a message so; names of pods, digests and UUIDs are innocent."""
    return is_strong(word, 16) and is_mixed(word)


def name_value_pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield (key, value) of what is written as an assignment in a text of any language."""
    for match in PAIR.finditer(text):
        value = next((match.group(g) for g in ("d", "s", "u") if match.group(g) is not None), "")
        yield match.group("key"), value


def layers(text: str) -> Iterator[tuple[str, str]]:
    """Yield (encoding, text) of everything readable that a text holds in another encoding."""
    for match in BASE64.finditer(text):
        inner = decoded_layers(_from_base64(match.group()))
        if inner:
            yield "base64", inner
    for match in HEX.finditer(text):
        inner = decoded_layers(bytes.fromhex(match.group()))
        if inner:
            yield "hex", inner
    if text.count("%") > 2 and (inner := unquote(text)) != text:
        yield "URL encoding", inner


def _from_base64(text: str) -> bytes:
    plain = text.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return b""


def decoded_layers(raw: bytes) -> str:
    """Return bytes as text, gzip and zlib taken off; empty where they are no text."""
    if raw[:2] == b"\x1f\x8b":
        raw = unzipped(raw)
    elif raw[:2] in (b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
        raw = _inflated(raw)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return ""
    return text if len(text) > 5 and all(c.isprintable() or c in "\n\r\t" for c in text) else ""


def unzipped(raw: bytes) -> bytes:
    """Return what a gzip stream holds, up to 8 MiB; empty where it is broken."""
    try:
        with gzip.open(io.BytesIO(raw)) as stream:
            return bytes(stream.read(LARGEST))
    except (OSError, EOFError, zlib.error):
        return b""


def _inflated(raw: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(raw, LARGEST)
    except zlib.error:
        return b""
