"""Whose certificates of Vault are believed."""

from __future__ import annotations

import ssl
from pathlib import Path

from assay.config.profile import Profile


def system_authorities() -> str | bool:
    """Return where the system keeps the authorities that it trusts; True: those that came with the client."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def authority_of(profile: Profile) -> Path | None:
    """Return the file of the CA that Vault's certificates are from, None for those that the system trusts.

    Raises:
        ProbeError: the profile names one that is not there.
    """
    return profile.need_path("vault.ca") if profile.vault.ca else None
