"""What a name promises and what a value is: UUIDs, names with numbers. Offline."""

from __future__ import annotations

import pytest

from assay.secretscan.naming import betrays, named_like, strong
from assay.secretscan.suspect import suspicion


@pytest.mark.parametrize(("name", "found"), [
    ("VAULT_SECRET_ID", True), ("password", True), ("uid", False), ("token", False), ("client_id", False),
])  # fmt: skip
def test_a_uuid_is_a_secret_under_a_name_that_says_so(name: str, found: bool) -> None:
    text = "0b87ff3c-3dd1-4a5c-9a3a-2f6a1b1c2d3e"
    assert betrays(name, text) == found
    assert bool(suspicion("line", f"postgres://shop:{text}@db/app"))


@pytest.mark.parametrize("name", ["gcp-sa-key-2024.json", "argocd-eu1-cluster", "s3.eu-central-1.aws.com"])
def test_a_name_with_numbers_is_a_name(name: str) -> None:
    assert not strong(name)
    assert not betrays("key", name)


@pytest.mark.parametrize("text", ["ab1-cd2-ef3-gh4", "abcdef.0123456789abcdef", "kq93vlmz-0pwt"])
def test_a_random_text_with_hyphens_is_no_name(text: str) -> None:
    assert not named_like(text)
