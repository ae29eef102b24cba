"""The approval of drills outside a lab: two people sign it, for one cluster, some drills and one window."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from assay.config.toml import Table, parse_toml
from assay.errors import GuardError
from assay.formats.signatures import PRINCIPAL, sign_command, signature_of, signing_key


NAMESPACE = "assay-drill"
APPROVERS_MIN = 2
LONGEST_WINDOW = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Approval:
    """What an approval says.

    Attributes:
        file: where it lies.
        content: its bytes, as they are signed.
        stack: the name of the stack.
        cluster_uid: the UID of its cluster.
        drills: the drills by name.
        begins: when the window opens.
        ends: when it closes.
        approvers: the people who sign it, as the list of allowed signers names them.
        reason: why the stack is drilled.
    """

    file: Path
    content: bytes
    stack: str
    cluster_uid: str
    drills: tuple[str, ...]
    begins: dt.datetime
    ends: dt.datetime
    approvers: tuple[str, ...]
    reason: str

    @property
    def summary(self) -> str:
        """Return who approved what, until when, and the digest of the file."""
        people, until = " and ".join(self.approvers), self.ends.isoformat(timespec="minutes")
        return f"approved by {people} until {until}, sha256 {hashlib.sha256(self.content).hexdigest()}"

    def remaining_s(self, moment: dt.datetime) -> float:
        """Return the seconds from `moment` to the end of the window."""
        return (self.ends - moment).total_seconds()


def read_approval(file: Path) -> Approval:
    """Return the approval in `file`; its signatures are not looked at.

    Raises:
        GuardError: it cannot be read, a key is missing or unknown, or what it says cannot be.
    """
    try:
        content = file.read_bytes()
    except OSError as why:
        raise GuardError(f"{file.name}: {why.strerror}", "name the approval under [drill]") from None
    top = Table(file.name, parse_toml(content, file.name, GuardError), GuardError, file.parent)
    table = top.table("approval")
    found = Approval(
        file, content, table.needed("stack"), table.needed("cluster_uid"), table.texts("drills"),
        table.moment("begins"), table.moment("ends"), table.texts("approvers"), table.needed("reason"),
    )  # fmt: skip
    table.close()
    top.close()
    if not dt.timedelta(0) < found.ends - found.begins <= LONGEST_WINDOW:
        raise table.complain("ends", f"after begins, by at most {LONGEST_WINDOW.days} days")
    for one in found.approvers:
        if not PRINCIPAL.fullmatch(one):
            raise table.complain("approvers", "names such as jane.roe@example.com")
    return found


def approval_text(
    stack: str, cluster_uid: str, drills: tuple[str, ...], begins: dt.datetime, ends: dt.datetime,
    approvers: tuple[str, ...], reason: str,
) -> str:  # fmt: skip
    """Return the text of an approval, as it is to be signed."""
    rows = {
        "stack": _quoted(stack), "cluster_uid": _quoted(cluster_uid), "drills": _list(drills),
        "begins": begins.isoformat(timespec="seconds"), "ends": ends.isoformat(timespec="seconds"),
        "approvers": _list(approvers), "reason": _quoted(reason),
    }  # fmt: skip
    return "[approval]\n" + "".join(f"{key} = {value}\n" for key, value in rows.items())


def check_signatures(approval: Approval, signers: Path) -> None:
    """Check that two different people signed it, each with a key of their own.

    Raises:
        GuardError: fewer did, or one person did twice.
        ProbeError: the signatures cannot be verified here.
    """
    people = {one.casefold() for one in approval.approvers}
    if len(people) < APPROVERS_MIN or len(people) != len(approval.approvers):
        raise GuardError(
            f"{approval.file.name} names {len(people)} different approvers, not {APPROVERS_MIN}",
            "name two people under approvers, and sign it again",
        )
    keys: dict[str, str] = {}
    for person in approval.approvers:
        signature = signature_of(approval.file, person)
        key = signing_key(approval.content, signature, person, NAMESPACE, signers)
        if not key:
            command = sign_command(approval.file, person, NAMESPACE)
            raise GuardError(f"{approval.file.name} is not signed by {person}", f"{person} runs: {command}")
        if key in keys:
            raise GuardError(
                f"{keys[key]} and {person} signed {approval.file.name} with the same key",
                "two people sign it, each with a key of their own",
            )
        keys[key] = person


def _quoted(text: str) -> str:
    """Return a text as TOML writes it: as JSON does, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"
