"""The credentials of the profile for the Talos API, and the smallest one that a question needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.probes.guard import READING, Guard
from assay.probes.talos.cert import TalosCredential, read_credential
from assay.probes.talos.ctl import Talosctl


@dataclass(frozen=True, slots=True)
class TalosClients:
    """talosctl with each credential of the profile.

    Attributes:
        configured_admin: with `[talos] config`, None: the profile has none.
        configured_reader: with `[talos] reader_config`, None: the profile has none.
    """

    configured_admin: Talosctl | None
    configured_reader: Talosctl | None

    @classmethod
    def from_profile(cls, profile: Profile, guard: Guard = READING) -> Self:
        """Return the clients of a profile; what `guard` does not allow they do not ask.

        Raises:
            ProbeError: it lacks talosctl or any credential, or one cannot be read.
        """
        binary, known = profile.need_path("tools.talosctl"), profile.talos
        if not known.reader_config:
            profile.need_text("talos.config")
        admin, reader = (
            Talosctl.of(binary, profile.need_path(f"talos.{key}"), known.endpoints, guard) if given else None
            for key, given in (("config", known.config), ("reader_config", known.reader_config))
        )
        return cls(admin, reader)

    @property
    def admin(self) -> Talosctl:
        """Return the client with the administrator's credential.

        Raises:
            ProbeError: the profile names none.
        """
        if self.configured_admin is None:
            message = "the profile names no talosconfig with os:admin, and os:reader is not enough for this"
            raise ProbeError(message, "set config under [talos]: talosctl config new --roles os:admin")
        return self.configured_admin

    @property
    def reader(self) -> Talosctl:
        """Return the client with the reader credential.

        Raises:
            ProbeError: the profile names none.
        """
        if self.configured_reader is None:
            message = "the profile names no talosconfig with os:reader"
            raise ProbeError(
                message, "set reader_config under [talos]: talosctl config new --roles os:reader"
            )
        return self.configured_reader

    @property
    def least(self) -> Talosctl:
        """Return the client with the smallest role that the profile has."""
        return self.configured_reader or self.admin

    def credentials(self) -> list[TalosCredential]:
        """Return the certificates of administrator and reader: roles and dates, never a key.

        Raises:
            ProbeError: one is not declared, or cannot be read.
        """
        return [
            read_credential("admin", self.admin.config),
            read_credential("reader", self.reader.config),
        ]
