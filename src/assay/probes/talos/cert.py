"""The client certificate inside a talosconfig: whose roles, how long. Its key is never looked at."""

from __future__ import annotations

import base64
import datetime
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from assay.errors import ProbeError


@dataclass(frozen=True, slots=True)
class Credential:
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


def credential(purpose: str, config: Path) -> Credential:
    """Return the certificate of the current context of a talosconfig.

    Raises:
        ProbeError: the file, the context or the certificate cannot be read.
    """
    try:
        parsed = yaml.safe_load(config.read_text())
        found = x509.load_pem_x509_certificate(base64.b64decode(parsed["contexts"][parsed["context"]]["crt"]))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as why:
        raise ProbeError(
            f"{config.name}: no client certificate in its current context", "check that it is a talosconfig"
        ) from why
    roles = frozenset(
        str(name.value) for name in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    )
    return Credential(purpose, roles, found.not_valid_before_utc, found.not_valid_after_utc)
