"""What is known of restores: the records of the suite's own drills, and signed records of what others did."""

from __future__ import annotations

import datetime as dt
import time
from functools import cached_property
from typing import Protocol

from assay.config.platform import Service
from assay.config.profile import Profile
from assay.drills.registry import RESTORES
from assay.drills.restore.records import Records
from assay.drills.restore.signed import SignedRecords, signed_records
from assay.model import Offender, Record


HOUR_S = 3600.0


class RestoreEvidence(Protocol):
    """One restore that is on record, by whichever means."""

    @property
    def ref(self) -> str:
        """Return `Restore service`."""

    @property
    def basis(self) -> str:
        """Return what it is: the suite's own measurement, or whose word."""

    @property
    def seconds(self) -> float:
        """Return the recovery time, budgets included."""

    def age(self, moment: float) -> float:
        """Return the seconds from the verified data to `moment` (seconds since 1970)."""

    def report(self, control: Record, rpo_s: float | None) -> None:
        """Note it in the record of `control`: what it is, its time, why it does not prove enough."""


class Restores:
    """The restores of one stack that are on record."""

    def __init__(self, profile: Profile, requested_drill: str = "") -> None:
        """Look at the records of the stack of `profile`.

        Args:
            profile: the stack.
            requested_drill: the one drill that was asked for, by its name; empty: all that are due.
        """
        self._profile, self._requested = profile, requested_drill
        self._own = Records.from_profile(profile)

    @cached_property
    def _signed(self) -> SignedRecords:
        return signed_records(self._profile, dt.datetime.now(dt.UTC))

    def newest(self) -> dict[str, RestoreEvidence]:
        """Return the newest record of each service that has one; a failed restore counts, and says so.

        Raises:
            ProbeError: the records cannot be read, or one of the suite's own is damaged.
        """
        moment, found = time.time(), dict[str, RestoreEvidence](self._own.newest())
        for one in self._signed.accepted:
            known = found.get(one.service)
            if known is None or one.age(moment) < known.age(moment):
                found[one.service] = one
        return found

    @property
    def rejected(self) -> tuple[Offender, ...]:
        """Return the signed records that prove nothing, with the reason."""
        return self._signed.rejected

    def has_drill(self, service: Service) -> bool:
        """Return whether a drill restores `service`: there is one, and the profile names its section."""
        return service.backup in RESTORES and bool(service.section)

    def capacity(self, service: str, limit_s: float) -> str:
        """Return in words how large a service's data may grow and still be restored in `limit_s` seconds."""
        from assay.drills.restore.capacity import capacity_statement  # scipy takes seconds

        return capacity_statement(self._own.of(service), limit_s)

    def is_due(self, service: Service, max_age_h: float) -> bool:
        """Return whether to drill the restore of `service`, for no record of it is young enough.

        Where one drill was asked for, it alone is due.
        """
        if self._requested:
            return service.backup in RESTORES and RESTORES[service.backup][0].name == self._requested
        known = self.newest().get(service.name)
        return known is None or known.age(time.time()) > max_age_h * HOUR_S
