"""Where a machine configuration of Talos holds secrets, by path.

The places are those that Talos itself blanks when it shows a configuration (`Redact`, version 1.13), and what
its schema lets anybody write freely.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


PLACES = frozenset(
    {
        ("machine", "token"), ("machine", "ca", "key"),
        ("cluster", "secret"), ("cluster", "token"), ("cluster", "ca", "key"),
        ("cluster", "secretboxEncryptionSecret"), ("cluster", "aescbcEncryptionSecret"),
        ("cluster", "aggregatorCA", "key"), ("cluster", "serviceAccount", "key"), ("cluster", "etcd", "ca", "key"),
    }
)  # fmt: skip
NUMBER = re.compile(r"\[\d+\]")
# Secret by their last name, in whatever document.
LAST = frozenset(
    {
        "privateKey", "presharedKey", "passphrase", "identityToken", "apiToken", "uniqueToken",
        "bootstraptoken", "secretboxencryptionsecret", "aescbcencryptionsecret",
    }
)  # fmt: skip
# The same, in a machine configuration only: a registry's login.
LOGIN = frozenset({"password", "auth"})


def secret_place(path: Sequence[str]) -> bool:
    """Return whether a machine configuration has a secret at a path, whatever it is; numbers of lists left out."""
    last = path[-1] if path else ""
    identity = tuple(path[-2:]) == ("clientIdentity", "key")
    return tuple(path) in PLACES or last in LAST | LOGIN or identity or "extraManifestHeaders" in path


def without_indices(place: str) -> str:
    """Return a place without the numbers of lists: a patch counts from its own beginning."""
    return NUMBER.sub("", place)
