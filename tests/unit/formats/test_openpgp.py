"""OpenPGP messages by their first packets, whatever comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.formats.openpgp import behind


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_is_none(raw: bytes) -> None:
    found = behind(raw)
    assert found is None or raw.endswith(found)


@given(st.binary(min_size=3, max_size=180), st.binary(min_size=1, max_size=300))
def test_a_message_with_a_session_key_is_known_and_its_ciphertext_returned(key: bytes, body: bytes) -> None:
    session = bytes([0xC1, len(key) + 1, 3]) + key
    assert behind(session + bytes([0xD2, 0xFE, 1]) + body) == body
    assert behind(session * 3 + bytes([0xD2, 0xFE, 1]) + body) == body
    assert behind(body[:0] + bytes([0xD2, 0xFE, 1]) + body) is None
