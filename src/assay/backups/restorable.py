"""The newest point that a service can be restored to: one that opened, not one that lies there.

What a point is depends on how the backups are made: one object (etcd, Vault, anything encrypted whole), a
base backup with its log (pgBackRest, Barman), or a backup that its tool completed (Velero).
"""

from __future__ import annotations

import datetime as dt
import heapq
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from assay.backups.ciphertext import Keys
from assay.backups.oldest import look
from assay.backups.places import key_of, shown_in
from assay.backups.points import Points
from assay.backups.postgres_archive import LAYOUTS, read_archive
from assay.backups.retention import RetentionRule, overdue
from assay.backups.vault_snapshot import snapshot_fault
from assay.config.platform import BACKUPS, Service
from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.formats.parsing import WRONG
from assay.model import Offender
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion


TRIED = 3  # how many of the newest objects are opened before there is said to be no point
# Tools whose layout is known from their documentation alone: no bucket of theirs was ever read by the suite.
PUBLISHED = ("barman", "velero")
VELERO = re.compile(r"backups/[^/]+/velero-backup\.json$")
MAX_DESCRIPTION_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class NewestPoint:
    """The newest state that a service can be restored to.

    Attributes:
        ref: the object, or the base backup and the segment of the log.
        moment: as of when; None: nothing can be restored.
        faults: why something newer cannot be restored.
        segments: the segments of a log that are there, where it is one.
        untried: the tool's layout is known from its documentation alone.
    """

    ref: str = ""
    moment: dt.datetime | None = None
    faults: tuple[str, ...] = ()
    segments: frozenset[str] = frozenset()
    untried: bool = False

    @property
    def basis(self) -> str:
        """Return in words what the point is and how it is known, for the evidence."""
        known = ", by the published layout of its tool, never tried on a real bucket" if self.untried else ""
        return f"{self.ref} of {self.moment:%Y-%m-%d %H:%M:%S} UTC{known}" if self.moment else self.ref

    def age_s(self, now: dt.datetime, unarchived: Callable[[Collection[str]], float | None]) -> float | None:
        """Return how much can be lost by the point, in seconds; None where nothing can be restored.

        Args:
            now: the time.
            unarchived: returns how old what is not in these segments can be, None where nobody can say: an
                idle database archives nothing, and lacks nothing.
        """
        if self.moment is None:
            return None
        age = (now - self.moment).total_seconds()
        waiting = unarchived(self.segments) if self.segments and not self.faults else None
        return min(age, waiting or age)


@dataclass(frozen=True, slots=True)
class KeptPoints:
    """What is kept of a service: the points that were judged, of how many, and what is wrong with them."""

    judged: Sequence[str]
    count: int
    wrong: Sequence[Offender]


class RestorablePoints:
    """The points of the services of one stack."""

    def __init__(self, profile: Profile, s3: S3) -> None:
        """Read through `s3`; how the backups of a service are made is the profile's to say."""
        self._profile, self._s3 = profile, s3

    @classmethod
    def from_profile(cls, profile: Profile) -> RestorablePoints:
        """Return the points of the stack of `profile`.

        Raises:
            ProbeError: no object storage is declared.
        """
        return cls(profile, S3.from_profile(profile))

    def newest(self, service: Service) -> NewestPoint:
        """Return the newest point of a service that opened.

        Raises:
            ProbeError: the profile does not say how its backups are made, where they lie or what opens them;
                or they cannot be read.
        """
        if service.backup in LAYOUTS:
            found = self._archive(service)
        elif service.backup == "velero":
            found = self._velero(service)
        else:
            found = self._objects(service)
        return replace(found, untried=service.backup in PUBLISHED)

    def kept(self, service: Service, rule: RetentionRule, late: float, moment: dt.datetime) -> KeptPoints:
        """Return what of a service is kept: its oldest points opened, what is overdue, what is broken.

        Args:
            service: the service.
            rule: what the document says of it.
            late: days that a removal may be late.
            moment: now.

        Raises:
            ProbeError: as for `newest`.
        """
        shown = shown_in(self._s3, self._profile, service)
        if service.backup in LAYOUTS:
            archive = read_archive(self._s3, service.backup, shown)
            made = [(base.ref, base.whole) for base in archive.bases if base.whole]
            judged = [*(base.ref for base in archive.bases), *archive.log]
            faults = archive.gaps(service.name)
            return KeptPoints(judged, len(judged), [*overdue(rule, made, late, moment), *faults])
        seen, fault_of = look(shown, rule, late, moment), self.opener(service)
        faults = [Offender(one.ref, why) for one in seen.oldest if (why := fault_of(one))]
        return KeptPoints([one.ref for one in seen.oldest], seen.count, [*seen.overdue, *faults])

    def opener(self, service: Service) -> Callable[[ObjectVersion], str]:
        """Return what says why an object is not a restorable point of a service, empty where it is.

        Raises:
            ProbeError: the profile does not say how its backups are made, or what opens them.
        """
        if service.backup == "etcd-snapshot":
            points = Points.from_profile(self._profile)
            return lambda one: points.open(one).fault
        if service.backup == "vault-snapshot":
            age, key = self._profile.need_path("tools.age"), key_of(self._profile, service)
            return lambda one: snapshot_fault(self._s3, one, age, key)
        if service.backup == "objects":
            keys = Keys.from_profile(self._profile)
            return lambda one: "" if keys.opens(service, one) else "its escrowed key does not open it"
        raise ProbeError(
            f"the profile does not say how the backups of {service.name} are made",
            f"set backup of {service.name} under [[platform.services]] to one of {', '.join(BACKUPS)}",
        )

    def _objects(self, service: Service) -> NewestPoint:
        shown = shown_in(self._s3, self._profile, service)
        newest = heapq.nlargest(TRIED, shown, key=lambda one: one.modified)
        fault_of, faults = self.opener(service), list[str]()
        for one in newest:
            if not (why := fault_of(one)):
                return NewestPoint(one.ref, one.modified, tuple(faults))
            faults.append(f"{one.ref}: {why}")
        return NewestPoint(faults=tuple(faults))

    def _archive(self, service: Service) -> NewestPoint:
        shown = shown_in(self._s3, self._profile, service)
        archive = read_archive(self._s3, service.backup, shown)
        state = archive.newest()
        ref = f"{state.base.ref if state.base else 'no base backup'}, log to {state.segment or 'nothing'}"
        return NewestPoint(ref, state.moment, state.faults, frozenset(archive.log))

    def _velero(self, service: Service) -> NewestPoint:
        shown = (one for one in shown_in(self._s3, self._profile, service) if VELERO.search(one.key))
        faults: list[str] = []
        for one in heapq.nlargest(TRIED, shown, key=lambda one: one.modified):
            said = _description(self._s3.read(one, MAX_DESCRIPTION_BYTES))
            if said.get("phase") == "Completed":
                return NewestPoint(one.ref, one.modified, tuple(faults))
            faults.append(f"{one.ref}: its phase is {said.get('phase') or 'not said'}")
        return NewestPoint(faults=tuple(faults))


def _description(body: bytes) -> Mapping[str, object]:
    """Return the status of a backup as Velero describes it, empty where it describes none."""
    try:
        found = json.loads(body)["status"]
    except WRONG:
        return {}
    return found if isinstance(found, Mapping) else {}
