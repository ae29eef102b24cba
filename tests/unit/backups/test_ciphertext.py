"""What ciphertext looks like, offline: headers, what stands behind them, and the tools that open it."""

from __future__ import annotations

import base64
import bz2
import dataclasses
import datetime as dt
import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups.ciphertext import GZIP, HEADERS, SAMPLE, deep_fault, fault, heads, kept_secrets
from assay.errors import ProbeError
from assay.formats.tools import tool_opens
from assay.probes.s3.facts import ObjectVersion


RANDOM = bytes(hashlib.shake_256(b"seed").digest(20_000))
SALTED = b"Salted__12345678"
AGE = b"age-encryption.org/v1\n-> X25519 abc\ndef\n--- mac\n"


@pytest.mark.parametrize(
    "head",
    [SALTED + RANDOM, AGE + RANDOM, SALTED, SALTED + b"\x1f\x8b" + RANDOM, SALTED + GZIP + RANDOM],
    ids=["salted", "age", "short", "two bytes of gzip", "three bytes of gzip"],
)
def test_ciphertext_begins_so(head: bytes) -> None:
    assert fault(head[:4096]) == ""


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"SQLite format 3\0",
        b"\x1f\x8b\x08" + RANDOM,
        AGE + b"clear text " * 400,
        RANDOM,
        SALTED + gzip.compress(RANDOM),
        SALTED + bz2.compress(RANDOM),
        AGE.partition(b"\n---")[0] + RANDOM,
        AGE + b"one clear line",
    ],
    ids=[
        "empty",
        "database",
        "gzip",
        "age in name only",
        "random",
        "gzip behind",
        "bzip2 behind",
        "endless",
        "small",
    ],
)
def test_anything_else_is_no_ciphertext(head: bytes) -> None:
    assert fault(head[:4096])


ROW = "INSERT INTO orders VALUES (1, 'Müller');".encode()


@pytest.mark.parametrize("body", [
    ROW * 20, ROW, "Müller, Köln".encode() * 2, b"\0\0\0\1order\0\0\0\2name\0\0\0" * 3,
    "Заказ номер один".encode(), base64.b64encode(RANDOM[:300]), RANDOM[:90].hex().encode(),
], ids=["rows", "row", "names", "records", "Cyrillic", "base64", "hex"])  # fmt: skip
def test_short_readable_bodies_are_no_ciphertext(body: bytes) -> None:
    assert "readable" in fault(SALTED + body)
    assert "readable" in fault(AGE + body)


@pytest.mark.parametrize("size", [12, 16, 32, 64, 200, 1000, 4000])
def test_random_bodies_of_any_length_are(size: int) -> None:
    raw = hashlib.shake_256(b"bodies").digest(size * 300)
    assert not any(fault(SALTED + raw[at : at + size]) for at in range(0, len(raw), size))


def test_a_long_header_of_age_is_read_whole() -> None:
    def sealed(stanzas: int, mac: bytes, body: bytes) -> bytes:
        return HEADERS[0] + b"X25519 abc\ndef\n" + b"-> ssh-rsa a\nAAAAA\n" * stanzas + mac + body

    stored = {
        "long": sealed(300, b"--- mac\n", RANDOM),
        "endless": sealed(300, b"", RANDOM),
        "body cut off": sealed(212, b"--- mac\n", ROW * 30),
        "short": AGE + RANDOM,
        "plain": RANDOM,
    }
    asked = []

    class Store:
        def head(self, version: ObjectVersion, most: int = 4096) -> bytes:
            asked.append((version.key, most))
            return stored[version.key][:most]

        def heads(self, versions: Sequence[ObjectVersion]) -> list[tuple[ObjectVersion, bytes]]:
            return [(one, self.head(one)) for one in versions]

    one = ObjectVersion("b", "k", "1", 9, dt.datetime(2026, 11, 24, tzinfo=dt.UTC), latest=True)
    store: Any = Store()
    read = heads(store, [dataclasses.replace(one, key=key, size=len(raw)) for key, raw in stored.items()])
    assert [bool(fault(head)) for _, head in read] == [False, True, True, False, True]
    assert [key for key, most in asked if most > 4096] == ["long", "endless", "body cut off"]


@pytest.mark.parametrize(("script", "result"), [
    ("exit 0", True), ("exit 1", False), ("echo 'write: No space left on device' >&2; exit 1", None),
])  # fmt: skip
def test_a_full_disk_says_nothing_about_a_backup(tmp_path: Path, script: str, result: bool | None) -> None:
    tool = tmp_path / "age"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    if result is None:
        with pytest.raises(ProbeError, match="disk is full"):
            tool_opens(tool, [])
    else:
        assert tool_opens(tool, []) is result
    with pytest.raises(ProbeError, match="does not run"):
        tool_opens(tmp_path / "absent", [])


def test_a_tool_that_takes_too_long_is_not_a_tool_that_is_missing() -> None:
    with pytest.raises(ProbeError, match="no end after") as caught:
        tool_opens(Path("/bin/sleep"), [9], timeout_s=0.05)
    assert "is the machine busy" in caught.value.remedy


def test_a_canary_anywhere_is_found() -> None:
    assert deep_fault([RANDOM], [b"/registry/"]) == ""
    assert "canary" in deep_fault([RANDOM[:9000] + b"/registry/x" + RANDOM[9000:]], [b"/registry/"])
    assert "canary" in deep_fault([RANDOM[:9000] + b"/regi", b"stry/x" + RANDOM[9000:]], [b"/registry/"])
    assert "readable" in deep_fault([RANDOM[:5000] + b"INSERT INTO orders " * 900], [])


def test_the_kits_secrets_are_canaries(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("# public key: age1abc\nAN-IDENTITY-OF-SOME-LENGTH\n")
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\nabcdefghijklmnop\n")
    assert kept_secrets(tmp_path) == [b"AN-IDENTITY-OF-SOME-LENGTH"]
    with pytest.raises(ProbeError):
        kept_secrets(tmp_path / "absent")


def test_words_across_two_pieces_of_a_long_object_are_found() -> None:
    """An object is read in pieces of a mebibyte; what lies across their edge is one word."""
    long = RANDOM * 60
    pieces = [long[: SAMPLE - 4], b"/registry/", long]
    assert "canary" in deep_fault(pieces, [b"/registry/"])
    assert deep_fault([long, long], [b"/registry/"]) == ""


PKESK = bytes([0x85, 1, 12, 3]) + RANDOM[:267]
SKESK = bytes([0xC3, 13, 4, 9, 3, 8]) + RANDOM[:9]
SEALED = bytes([0xD2, 0xEA, 1]) + RANDOM
OPENPGP = {
    "public key": (PKESK + SEALED, True),
    "two keys": (PKESK + PKESK + SEALED, True),
    "passphrase": (SKESK + SEALED, True),
    "clear text behind": (PKESK + SEALED[:3] + b"INSERT INTO orders VALUES " * 40, False),
    "signed only": (PKESK + bytes([0xCB, 0xEA, 1]) + RANDOM, False),
    "compressed only": (bytes([0xA3, 1]) + RANDOM, False),
    "no session key": (SEALED, False),
    "random": (bytes([0x85]) + RANDOM, False),
}


@pytest.mark.parametrize("case", OPENPGP)
def test_openpgp_messages_are_ciphertext(case: str) -> None:
    head, encrypted = OPENPGP[case]
    assert (fault(head[:4096]) == "") is encrypted


PARTS = b"".join(b"Salted__" + RANDOM[n : n + 40] for n in range(0, 19_200, 40))
ARMOURED = b"-----BEGIN AGE ENCRYPTED FILE-----\n%s-----END AGE ENCRYPTED FILE-----\n"
PGP = b"-----BEGIN PGP MESSAGE-----\nVersion: x\n\n%s=abcd\n-----END PGP MESSAGE-----\n"


@pytest.mark.parametrize("whole", [
    ARMOURED % base64.encodebytes(AGE + RANDOM), PGP % base64.encodebytes(PKESK + SEALED),
    base64.encodebytes(SALTED + RANDOM), b"RCLONE\0\0" + RANDOM, PARTS,
], ids=["age as text", "OpenPGP as text", "openssl as text", "rclone", "a bundle"])  # fmt: skip
def test_further_forms_of_ciphertext(whole: bytes) -> None:
    assert fault(whole[:4096]) == ""
    assert deep_fault([whole[:3000], whole[3000:]], [b"canary"]) == ""


ROWS = b"INSERT INTO orders VALUES (1, 'somebody', 'a street'); " * 300


@pytest.mark.parametrize("whole", [
    ARMOURED % base64.encodebytes(AGE + ROWS), PGP % base64.encodebytes(PKESK + SEALED[:3] + ROWS),
    base64.encodebytes(SALTED + ROWS), b"RCLONE\0\0" + ROWS,
    PARTS[:960] + ROWS + PARTS, ARMOURED % base64.encodebytes(ROWS), ARMOURED % b"", base64.encodebytes(ROWS),
])  # fmt: skip
def test_the_same_forms_over_readable_rows_are_not(whole: bytes) -> None:
    assert fault(whole[:4096])


def test_a_canary_in_armoured_text_or_between_parts_is_found() -> None:
    inside = ARMOURED % base64.encodebytes(AGE + RANDOM + b"/registry/" + RANDOM)
    assert "canary" in deep_fault([inside[:5000], inside[5000:]], [b"/registry/"])
    assert "canary" in deep_fault([PARTS, b"/registry/", PARTS], [b"/registry/"])


def test_an_unknown_cipher_is_never_called_readable() -> None:
    assert fault(RANDOM[:4096]).startswith("looks random, and it has no header of a cipher known here")
    assert fault(ROWS[:4096]).startswith("is not encrypted")


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(raw: bytes) -> None:
    assert isinstance(fault(raw), str)
    assert isinstance(deep_fault([raw], [b"canary"]), str)
