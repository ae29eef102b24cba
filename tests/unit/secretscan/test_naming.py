"""What a name promises and what a value is: UUIDs, names with numbers. Offline."""

from __future__ import annotations

import pytest

from assay.secretscan.naming import is_strong, looks_like_secret, named_like
from assay.secretscan.suspect import detect_secret


@pytest.mark.parametrize(("name", "found"), [
    ("VAULT_SECRET_ID", True), ("password", True), ("uid", False), ("token", False), ("client_id", False),
])  # fmt: skip
def test_a_uuid_is_a_secret_under_a_name_that_says_so(name: str, found: bool) -> None:
    text = "0b87ff3c-3dd1-4a5c-9a3a-2f6a1b1c2d3e"
    assert looks_like_secret(name, text) == found
    assert bool(detect_secret("line", f"postgres://shop:{text}@db/app"))


@pytest.mark.parametrize("name", ["gcp-sa-key-2024.json", "argocd-eu1-cluster", "s3.eu-central-1.aws.com"])
def test_a_name_with_numbers_is_a_name(name: str) -> None:
    assert not is_strong(name)
    assert not looks_like_secret("key", name)


@pytest.mark.parametrize("text", ["ab1-cd2-ef3-gh4", "abcdef.0123456789abcdef", "kq93vlmz-0pwt"])
def test_a_random_text_with_hyphens_is_no_name(text: str) -> None:
    assert not named_like(text)
