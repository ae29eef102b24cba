"""The record of restores, one line each, kept from run to run: what came back, and how long ago.

DR-04 and ACC-07 read it. A line carries its own checksum and the cluster it was measured on; a record of
another cluster proves nothing here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.config.profile import Profile
from assay.drills.restore.result import Restore
from assay.errors import GuardError, ProbeError
from assay.model import Record


RECORDS_FOLDER = "restores"


@dataclass(frozen=True, slots=True)
class RestoreRecord:
    """A recorded restore and the cluster it was measured on."""

    cluster: str
    restore: Restore

    @property
    def ref(self) -> str:
        """Return `Restore service`."""
        return self.restore.ref

    @property
    def seconds(self) -> float:
        """Return the recovery time, budgets included."""
        return self.restore.seconds

    @property
    def basis(self) -> str:
        """Return what it is: measured by the suite's own drill, and when."""
        ended = dt.datetime.fromtimestamp(self.restore.ended, dt.UTC)
        return f"the suite's own drill of {ended:%Y-%m-%d %H:%M} UTC"

    def age(self, moment: float) -> float:
        """Return the seconds from the verified data to `moment` (seconds since 1970)."""
        return moment - self.restore.ended

    def report(self, control: Record, rpo_s: float | None) -> None:
        """Note it in the record of `control`: what it is, its time, why it does not prove enough."""
        control.note(f"{self.restore.service}: basis", self.basis)
        self.restore.report(control, rpo_s)


class Records:
    """The restores of one stack, in one file of JSON lines."""

    def __init__(self, path: Path, cluster: str) -> None:
        """Keep the restores of the cluster with the UID `cluster` in `path`."""
        self.path, self.cluster = path, cluster

    @classmethod
    def from_profile(cls, profile: Profile) -> Records:
        """Return the records of the stack of `profile`, below `ASSAY_REPORTS` (default `./reports`)."""
        reports = Path(os.environ.get("ASSAY_REPORTS") or Path.cwd() / "reports")
        return cls(reports / RECORDS_FOLDER / f"{profile.name}.jsonl", profile.cluster_uid)

    def add(self, restore: Restore) -> None:
        """Append a restore, durably.

        Raises:
            GuardError: it could not be written.
        """
        body = json.dumps({"cluster": self.cluster, **dataclasses.asdict(restore)}, sort_keys=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(f"{body}\t{zlib.crc32(body.encode()):08x}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as why:
            raise GuardError(
                f"the record of the restore cannot be written: {why.strerror}", "free space under reports/"
            ) from why

    def all(self) -> list[RestoreRecord]:
        """Return every record of this cluster, oldest first; none where nothing was ever restored.

        Raises:
            ProbeError: the file cannot be read, or a line is damaged.
        """
        try:
            lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        except OSError as why:
            raise ProbeError(f"{self.path.name}: {why.strerror}", "look at reports/") from why
        kept = [_read(line, f"{self.path.name}:{number}") for number, line in enumerate(lines, 1)]
        return sorted((one for one in kept if one.cluster == self.cluster), key=lambda k: k.restore.ended)

    def of(self, service: str) -> list[Restore]:
        """Return every recorded restore of `service` on this cluster, oldest first; errors as for `all`."""
        return [one.restore for one in self.all() if one.restore.service == service]

    def newest(self) -> dict[str, RestoreRecord]:
        """Return the newest record of each service that has one; a failed restore counts, and says so."""
        return {one.restore.service: one for one in self.all()}


def _read(line: bytes, where: str) -> RestoreRecord:
    body, _, check = line.rpartition(b"\t")
    remedy = "restore again; a record cannot be edited"
    if check != f"{zlib.crc32(body):08x}".encode():
        raise ProbeError(f"{where}: the record is damaged", remedy)
    try:
        entry = json.loads(body)
        return RestoreRecord(str(entry.pop("cluster")), restored(entry))
    except (ValueError, TypeError, KeyError, AttributeError) as why:
        raise ProbeError(f"{where}: is not a record of a restore", remedy) from why


def restored(entry: Mapping[str, object]) -> Restore:
    """Return the Restore of a parsed record.

    Raises:
        TypeError: a field is missing, unknown or of another type.
        ValueError: a number is not finite.
    """
    restore = Restore(**entry)  # type: ignore[arg-type]
    numbers = [restore.t0, restore.ended, restore.rpo_seconds, restore.data_bytes, restore.lost]
    if not all(isinstance(n, int | float) for n in [*numbers, *restore.parts.values()]):
        raise TypeError("a number is missing")
    if not all(math.isfinite(n) for n in [*numbers, *restore.parts.values()]):
        raise ValueError("a number is not finite")
    if not (isinstance(restore.service, str) and isinstance(restore.verified, bool)):
        raise TypeError("a field has another type")
    return restore
