"""What a talosconfig holds: whose roles, how long, by which way. Its key is never looked at."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from assay.errors import ProbeError
from assay.formats.parsing import WRONG


@dataclass(frozen=True, slots=True)
class TalosCredential:
    """A Talos client certificate.

    `purpose` in the profile (`admin`, `reader`), its roles, its two dates (UTC).
    """

    purpose: str
    roles: frozenset[str]
    start: datetime.datetime
    end: datetime.datetime

    @property
    def ref(self) -> str:
        """Return `Talosconfig purpose`."""
        return f"Talosconfig {self.purpose}"

    @property
    def days(self) -> float:
        """Return for how many days it was made to live."""
        return (self.end - self.start).total_seconds() / 86400

    @property
    def mighty(self) -> bool:
        """Return True if it can do everything, or can pretend to be anyone."""
        return bool(self.roles & {"os:admin", "os:impersonator"})


def read_credential(purpose: str, config: Path) -> TalosCredential:
    """Return the certificate of the current context of a talosconfig.

    Raises:
        ProbeError: the file, the context or the certificate cannot be read.
    """
    try:
        found = x509.load_pem_x509_certificate(base64.b64decode(_context(config)["crt"]))
    except WRONG as why:
        raise _unusable(config, "no client certificate") from why
    roles = frozenset(
        str(name.value) for name in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    )
    return TalosCredential(purpose, roles, found.not_valid_before_utc, found.not_valid_after_utc)


def read_authority(config: Path) -> bytes:
    """Return the CA of the Talos API, PEM, of the current context of a talosconfig.

    Raises:
        ProbeError: the file, the context or the CA cannot be read.
    """
    try:
        return base64.b64decode(_context(config)["ca"])
    except WRONG as why:
        raise _unusable(config, "no CA") from why


def read_endpoints(config: Path) -> tuple[str, ...]:
    """Return the addresses through which the current context of a talosconfig asks; often none.

    Raises:
        ProbeError: the file or the context cannot be read.
    """
    try:
        return tuple(map(str, _context(config).get("endpoints") or ()))
    except WRONG as why:
        raise _unusable(config, "no endpoints") from why


def _context(config: Path) -> Mapping[str, Any]:
    """Return the current context of a talosconfig; the caller turns what is wrong with it into an error."""
    try:
        parsed = yaml.safe_load(config.read_text())
        found = parsed["contexts"][parsed["context"]]
    except (OSError, yaml.YAMLError, *WRONG) as why:
        raise _unusable(config, "nothing usable") from why
    if not isinstance(found, dict):
        raise _unusable(config, "nothing usable")
    return found


def _unusable(config: Path, what: str) -> ProbeError:
    return ProbeError(f"{config.name}: {what} in its current context", "check that it is a talosconfig")
