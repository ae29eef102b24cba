"""Secrets below encodings and compression, by the rules for clear text. Every value is made at run time. Offline."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import random
import string
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.secretscan.fingerprint import Fingerprinter
from assay.secretscan.leaves import Leaf, leaf_faults
from assay.secretscan.suspect import decoded_texts, layers
from assay.secretscan.text import looks_secret


def word(seed: int = 1) -> str:
    """Return a password as people make them."""
    made = random.Random(seed)
    return "".join(made.choice(string.ascii_letters + string.digits) for _ in range(16)) + "7qZ"


def tarred(text: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("app.conf")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.conf", text)
    return out.getvalue()


PACKED: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip twice": lambda text: gzip.compress(gzip.compress(text.encode())),
    "zlib": lambda text: zlib.compress(text.encode()),
    "zlib, fast": lambda text: zlib.compress(text.encode(), 1),
    "deflate": lambda text: zlib.compress(text.encode(), wbits=-15),
    "bzip2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "UTF-16": lambda text: text.encode("utf-16"),
    "tar": tarred,
    "zip": zipped,
}
WRITTEN: dict[str, Callable[[str], str]] = {
    "settings": lambda value: f"host=db\npassword={value}\n",
    "JSON": lambda value: json.dumps({"db": {"password": value, "port": 5}}),
    "TOML": lambda value: f'[db]\nport = 5\npassword = "{value}"\n',
    "YAML": lambda value: f"db:\n  port: 5\n  password: {value}\n",
    "directive": lambda value: f"maxmemory 64mb\nrequirepass {value}\n",
    "variable": lambda value: f"      env:\n      - name: PGPASSWORD\n        value: {value}\n",
    "XML": lambda value: f"<db><password>{value}</password></db>\n",
    "URL": lambda value: f"store = postgres://shop:{value}@db/shop\n",
    "base64 of settings": lambda value: (
        base64.b64encode(f"a: 1\npassword: {value}\n".encode()).decode() + "\n"
    ),
}
SHOWN: dict[str, Callable[[str], str]] = {
    "alone": str,
    "wrapped": lambda text: "\n".join(text[n : n + 76] for n in range(0, len(text), 76)),
    "behind a sign": lambda text: f"data={text}",
    "URL alphabet": lambda text: text.translate(str.maketrans("+/", "-_")),
}


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("shown", SHOWN)
def test_a_secret_is_found_below_every_encoding(packed: str, written: str, shown: str) -> None:
    coded = base64.b64encode(PACKED[packed](WRITTEN[written](word()))).decode()
    why = looks_secret("blob", SHOWN[shown](coded))
    assert "below base64" in why
    assert word() not in why


@pytest.mark.parametrize("packed", PACKED)
def test_nothing_is_found_where_nothing_is(packed: str) -> None:
    text = "listen = 8080\nlog_level = info\npassword_file = /run/secrets/db\n" * 5
    assert not looks_secret("blob", base64.b64encode(PACKED[packed](text)).decode())


@pytest.mark.parametrize("packed", PACKED)
def test_a_copy_of_a_value_is_found_below_every_encoding(packed: str) -> None:
    fingerprinter, value = Fingerprinter(), word(7)
    coded = base64.b64encode(PACKED[packed](f"for later: {value} (old)\n")).decode()
    leaf = Leaf("ConfigMap a/b", "data.note", "note", coded)
    private = frozenset({fingerprinter.fingerprint(value.encode())})
    assert leaf_faults([leaf], fingerprinter, private)
    assert not leaf_faults([leaf], fingerprinter, frozenset({fingerprinter.fingerprint(word(8).encode())}))


@pytest.mark.parametrize(
    "head", [b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c"]
)
def test_an_archive_that_does_not_open_is_not_innocent(head: bytes) -> None:
    assert "cannot be opened" in looks_secret(
        "blob", base64.b64encode(head + random.Random(3).randbytes(60)).decode()
    )


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_decoded_or_left_alone(raw: bytes) -> None:
    for head in (b"", b"\x1f\x8b\x08", b"x\x9c", b"BZh91AY&SY", b"PK\x03\x04", b"\xfd7zXZ\x00"):
        assert all(isinstance(text, str) for text in decoded_texts(head + raw))
    assert list(layers(base64.b64encode(raw).decode())) is not None
