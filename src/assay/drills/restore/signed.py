"""Records of restores that were done by other means: a file that says what came back, signed by who did it.

Nothing of it was seen by the suite. What it is worth is who signed it and what it says, so both are shown; a
record that is not signed by the person it names, or that says what cannot be, proves nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from assay.config.profile import Profile
from assay.config.toml import Table, parse_toml
from assay.drills.restore.result import Budgets
from assay.errors import ProbeError
from assay.formats.signatures import PRINCIPAL, sign_command, signature_of, signing_key
from assay.model import Offender, Record


NAMESPACE = "assay-restore"
SUFFIXES = (".toml", ".json")
TIMES = ("start", "end", "point")
LEDGER = re.compile(r"(sha256:)?[0-9a-f]{64}")
RECORD_MAX_BYTES = 1_000_000
COUNT_END = 1 << 63


@dataclass(frozen=True, slots=True)
class SignedRestore:
    """What a signed record says of one restore. Times are seconds since 1970.

    Attributes:
        file: the record's file.
        digest: its SHA-256.
        service: the service that was restored.
        stack: the stack whose backup it was.
        cluster_uid: the UID of that stack's cluster.
        start: when the loss was known and the restore was decided on.
        end: when the data was verified.
        point: the newest write that came back.
        ledger: SHA-256 of the list of writes that were compared.
        rows: how many writes were compared.
        data_bytes: the size of what came back, unpacked.
        tool: with what it was restored.
        place: where: a scratch namespace, another cluster, a lab of the same release.
        by: who did it, as the list of allowed signers names them.
        budgets_s: declared seconds until a loss is detected and a restore is decided on.
    """

    file: Path
    digest: str
    service: str
    stack: str
    cluster_uid: str
    start: float
    end: float
    point: float
    ledger: str
    rows: int
    data_bytes: int
    tool: str
    place: str
    by: str
    budgets_s: float = 0.0

    @property
    def ref(self) -> str:
        """Return `Restore service`."""
        return f"Restore {self.service}"

    @property
    def seconds(self) -> float:
        """Return the recovery time: the budgets, and from the decision to verified data."""
        return self.budgets_s + self.end - self.start

    @property
    def basis(self) -> str:
        """Return what this is: a person's word, not the suite's own measurement."""
        return f"signed record of {self.by}, restored with {self.tool} in {self.place}, sha256 {self.digest}"

    def age(self, moment: float) -> float:
        """Return the seconds from the verified data to `moment` (seconds since 1970)."""
        return moment - self.end

    def report(self, control: Record, rpo_s: float | None) -> None:
        """Note the restore in the record of `control`: what it is, its time, why it does not prove enough."""
        control.note(f"{self.service}: basis", self.basis)
        control.rests_on(f"signed record of {self.by}: {self.service} with {self.tool} in {self.place}")
        control.note(f"{self.service}: ledger", f"{self.ledger}, {self.rows} rows in {self.data_bytes} bytes")
        control.note(f"{self.service}: point", f"{self.start - self.point:.0f} s before the loss")
        control.measured(self.seconds, "s", "restore")
        control.offenders(Offender(self.ref, why) for why in self.faults(control.limit("restore"), rpo_s))

    def faults(self, limit_s: float, rpo_s: float | None) -> list[str]:
        """Return why the restore does not prove what it must, nothing where it does.

        Args:
            limit_s: the recovery time objective, seconds, budgets included.
            rpo_s: the recovery point objective, seconds; None: none is declared.
        """
        lost = self.start - self.point
        wrong = {
            "it ended before it began": self.end <= self.start,
            "the newest write that came back is younger than the loss": lost < 0,
            "no recovery point objective is declared": rpo_s is None,
            f"the newest write that came back is {lost:.0f} s old, not {rpo_s} s": rpo_s is not None
            and lost > rpo_s,
            "no row of a ledger was compared": self.rows <= 0,
            "no data came back": self.data_bytes <= 0,
            f"took {self.seconds:.0f} s, not {limit_s:.0f} s": not self.seconds < limit_s,
        }
        return [why for why, holds in wrong.items() if holds]


@dataclass(frozen=True, slots=True)
class SignedRecords:
    """The signed records of one stack: those that count, and those that prove nothing, with the reason."""

    accepted: tuple[SignedRestore, ...] = ()
    rejected: tuple[Offender, ...] = ()


def signed_records(profile: Profile, moment: dt.datetime) -> SignedRecords:
    """Return the signed records of the stack of `profile`; none where it names no folder of them.

    Records of other stacks may lie in the same folder; they are not looked at further.

    Args:
        profile: the stack.
        moment: now; nothing ended later.

    Raises:
        ProbeError: the folder or the list of allowed signers cannot be read, or ssh-keygen is missing.
        UndeclaredError: no time is declared until a loss is detected, or until a restore is decided on.
    """
    if profile.drill.records is None:
        return SignedRecords()
    folder, signers = profile.need_path("drill.records"), profile.need_path("drill.allowed_signers")
    accepted, rejected = list[SignedRestore](), list[Offender]()
    for file in sorted(one for one in folder.iterdir() if one.suffix in SUFFIXES):
        try:
            content = file.read_bytes()
            found = read_record(file, content)
        except (ProbeError, OSError) as why:
            rejected.append(Offender(f"Record {file.name}", getattr(why, "message", "cannot be read")))
            continue
        if (found.stack, found.cluster_uid) != (profile.name, profile.cluster_uid):
            continue
        if why_not := _unfit(found, content, signers, moment):
            rejected.append(Offender(f"Record {file.name}", why_not))
        else:
            accepted.append(_with_budgets(found, profile))
    return SignedRecords(tuple(accepted), tuple(rejected))


def read_record(file: Path, content: bytes) -> SignedRestore:
    """Return what a record says; its signature is not looked at.

    Raises:
        ProbeError: not TOML or JSON, a key is missing or unknown, or a value is of the wrong kind.
    """
    parse = _json if file.suffix == ".json" else partial(parse_toml, error=ProbeError)
    top = Table(file.name, parse(content, file.name), ProbeError, file.parent)
    table = top.table("restore")
    start, end, point = (table.moment(key).timestamp() for key in TIMES)
    ledger = table.needed("ledger")
    if not LEDGER.fullmatch(ledger):
        raise table.complain("ledger", "the SHA-256 of the list of writes that were compared")
    found = SignedRestore(
        file, hashlib.sha256(content).hexdigest(), table.needed("service"), table.needed("stack"),
        table.needed("cluster_uid"), start, end, point, ledger, _count(table, "rows"),
        _count(table, "data_bytes"), table.needed("tool"), table.needed("place"), table.needed("by"),
    )  # fmt: skip
    table.close()
    top.close()
    if not PRINCIPAL.fullmatch(found.by):
        raise table.complain("by", "a name such as jane.roe@example.com")
    return found


def _count(table: Table, key: str) -> int:
    value = table.take(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < COUNT_END:
        raise table.complain(key, "a whole number")
    return value


def _json(content: bytes, where: str) -> Mapping[str, Any]:
    """Return a JSON document as TOML would have it: a time is a time."""
    if len(content) > RECORD_MAX_BYTES:
        raise ProbeError(f"{where}: more than {RECORD_MAX_BYTES} bytes", "it must be a short file")
    try:
        document = json.loads(content)
        for key in TIMES:
            document["restore"][key] = dt.datetime.fromisoformat(document["restore"][key])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ProbeError(
            f"{where}: not a JSON record of a restore", "write its times as 2026-12-01T02:00:00+01:00"
        ) from None
    return dict(document)


def _unfit(found: SignedRestore, content: bytes, signers: Path, moment: dt.datetime) -> str:
    """Return why a record proves nothing, empty where it does."""
    if found.end > moment.timestamp():
        return "says that the restore ended in the future"
    if signing_key(content, signature_of(found.file, found.by), found.by, NAMESPACE, signers):
        return ""
    return f"is not signed by {found.by}: {sign_command(found.file, found.by, NAMESPACE)}"


def _with_budgets(found: SignedRestore, profile: Profile) -> SignedRestore:
    budgets = Budgets.from_profile(profile)
    return replace(found, budgets_s=budgets.detect + budgets.decide)
