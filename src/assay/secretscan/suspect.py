"""Whether a value is a secret in clear: by its shape, by its name, and below every common encoding."""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

from assay.errors import ProbeError
from assay.secretscan.files import PACKED, file_texts, is_packed
from assay.secretscan.naming import DEFAULTED, is_mixed, is_strong, looks_like_secret
from assay.secretscan.tokens import hits


MAX_ENCODINGS = 4
WITHHELD = "[withheld]"
LARGEST = 8 * 1024 * 1024
BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}(?![A-Za-z0-9+/_=-])")
HEX = re.compile(r"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{2}){12,}(?![0-9a-fA-F])")
# Archives that are not read here: zstd, lz4, 7z, rar.
UNREAD = (b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")
# Lines of base64 that belong together: all but the last are long.
WRAPPED = re.compile(
    r"(?:^[ \t]*[A-Za-z0-9+/]{32,}[ \t]*\r?\n)+[ \t]*[A-Za-z0-9+/]+={0,2}[ \t]*$", re.MULTILINE
)
# A name and what is assigned to it. The value is looked ahead at, for it may be an assignment itself:
# `Environment=DB_PASSWORD=..`, `--from-literal=password=..`. A name within `${` is a variable that is read.
PAIR = re.compile(
    r"(?<!\w)(?<!\$\{)(?P<open>[\"']?)(?P<key>[A-Za-z_][\w.-]{1,60})(?P=open)\s*(?:=>|:=|=|:)\s*"
    r"(?=\"(?P<d>(?:[^\"\\\n]|\\.)*)\"|'(?P<s>[^'\n]*)'|(?P<u><[^<>\n]*>|[^\s\"'#,;{}\[\]]+))"
)


def detect_in_text(text: str, depth: int = 0) -> str:
    """Return why a text without a name holds a secret in clear; empty where it holds none."""
    first = next(hits(text), None)
    if first is not None:
        return first.rule
    if depth:
        for key, value in name_value_pairs(text):
            if looks_like_secret(key, value):
                return f"a value under the name {key}"
    if depth >= MAX_ENCODINGS:
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
    for match in DEFAULTED.finditer(text):
        yield match.group("key"), match.group("value")


def layers(text: str) -> Iterator[tuple[str, str]]:
    """Yield (encoding, text) of everything readable that a text holds in another encoding."""
    for match in BASE64.finditer(text):
        yield from (("base64", inner) for inner in decoded_texts(from_base64(match.group())))
    for match in HEX.finditer(text):
        yield from (("hex", inner) for inner in decoded_texts(bytes.fromhex(match.group())))
    for match in WRAPPED.finditer(text):
        yield from (("base64", inner) for inner in decoded_texts(from_base64("".join(match.group().split()))))
    if text.count("%") > 2 and (inner := unquote(text)) != text:
        yield "URL encoding", inner


def from_base64(text: str) -> bytes:
    """Return what a text in either alphabet of base64 holds, empty where it is not base64."""
    plain = text.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return b""


def decoded_texts(raw: bytes) -> Iterator[str]:
    """Yield the texts that bytes hold, archives and compression taken off; nothing where they hold none."""
    if is_packed(raw):
        with contextlib.suppress(ProbeError):
            yield from (text for _, text in file_texts("", raw) if _readable(text))
        return
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = _deflated(raw)
    if _readable(text):
        yield text


def _deflated(raw: bytes) -> str:
    """Return the text of a whole deflate stream without a head, empty where it is none."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = stream.decompress(raw, LARGEST).decode()
    except (zlib.error, UnicodeDecodeError):
        return ""
    return text if stream.eof and not stream.unused_data else ""


def does_not_open(text: str) -> bool:
    """Return whether a text is an archive in base64 that cannot be opened here: nobody can say what it holds."""
    raw = from_base64("".join(text.split())) if BASE64.match(text.strip()) else b""
    return raw.startswith((*PACKED, *UNREAD)) and not any(True for _ in decoded_texts(raw))


def _readable(text: str) -> bool:
    return len(text) > 5 and all(sign.isprintable() or sign in "\n\r\t" for sign in text)


def unzipped(raw: bytes) -> bytes:
    """Return what a gzip stream holds, up to 8 MiB; empty where it is broken."""
    try:
        with gzip.open(io.BytesIO(raw)) as stream:
            return bytes(stream.read(LARGEST))
    except (OSError, EOFError, zlib.error):
        return b""
