"""Fingerprints of values: equal fingerprints, equal values, and nothing else can be learned from them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field


# Characters of the shortest value that is looked for elsewhere: no innocent text has it by chance.
MIN_SECRET_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Fingerprinter:
    """Takes fingerprints under a key that lives as long as this object and is never written anywhere."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def fingerprint(self, value: bytes) -> bytes:
        """Return the HMAC-SHA256 of the raw bytes of a value."""
        return hmac.digest(self.key, value, hashlib.sha256)

    def short(self, value: str) -> str:
        """Return twelve hexadecimal digits that tell two findings apart within one run."""
        return self.fingerprint(value.encode("utf-8", "surrogateescape")).hex()[:12]


def same_fingerprint(one: bytes, other: bytes) -> bool:
    """Return True if two fingerprints are equal, in constant time."""
    return hmac.compare_digest(one, other)
