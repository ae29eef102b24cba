"""What talosctl prints, as frozen facts. Every parser is strict.

An unknown shape is a ProbeError, never an empty answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from assay.errors import ProbeError
from assay.formats.parsing import WRONG, parsing
from assay.formats.yaml_text import Shallow
from assay.probes.etcd import EtcdMember, EtcdStatus


UPDATE = "compare the talosctl version with the cluster's, then teach the parser this shape"
MEMBERS = ("ID", "HOSTNAME", "PEER URLS", "CLIENT URLS", "LEARNER")
STATUS = (
    "MEMBER",
    "DB SIZE",
    "IN USE",
    "LEADER",
    "RAFT INDEX",
    "RAFT TERM",
    "RAFT APPLIED INDEX",
    "LEARNER",
    "PROTOCOL",
    "STORAGE",
    "ERRORS",
)
ALARMS = ("MEMBER", "ALARM")
SOCKETS = ("Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Machine:
    """A node as the profile declares it; `role` is `controlplane` or `worker`."""

    name: str
    address: str
    role: str

    @property
    def ref(self) -> str:
        """Return `Node name`."""
        return f"Node {self.name}"


@dataclass(frozen=True, slots=True)
class TalosVersion:
    """The answer of a node's own version call: `tag` like `v1.13.5`, and whether it enforces roles."""

    tag: str
    rbac: bool


@dataclass(frozen=True, slots=True)
class MachineService:
    """A Talos service on a node."""

    name: str
    running: bool
    healthy: bool


@dataclass(frozen=True, slots=True)
class Extension:
    """A system extension baked into a node's image, as ExtensionStatus gives it."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of a mount table: where, which file system, its source, writable or not."""

    point: str
    filesystem: str
    source: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket of a node's host network."""

    address: str
    port: int


def talos_documents(text: str, what: str) -> list[Document]:
    """Return the JSON objects printed one after the other in `text`; `what` names the question.

    Raises:
        ProbeError: not JSON, or not objects.
    """
    decoder, position, found = json.JSONDecoder(), 0, []
    text = text.strip()
    while position < len(text):
        try:
            one, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as why:
            raise ProbeError(f"{what}: the answer is not JSON at character {position}", UPDATE) from why
        if not isinstance(one, dict):
            raise ProbeError(f"{what}: the answer holds {type(one).__name__}, not objects", UPDATE)
        found.append(one)
        position += len(text[position:]) - len(text[position:].lstrip())
    return found


def table(text: str, header: Sequence[str], what: str) -> list[dict[str, str]]:
    """Return the rows under exactly `header` (a leading NODE column is allowed), one dict a row.

    Columns are cut where the header's words begin, as Go's tabwriter lays them out, so empty cells stay
    empty.

    Raises:
        ProbeError: another header, or a row that does not keep the columns.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    names = ["NODE", *header] if lines[0].startswith("NODE") else list(header)
    starts = _starts(lines[0], names, what)
    return [_row(line, names, starts, what) for line in lines[1:]]


def _starts(line: str, names: list[str], what: str) -> list[int]:
    starts, position = [], 0
    for name in names:
        found = line.find(name, position)
        if found < 0 or line[position:found].strip():
            raise ProbeError(f"{what}: the table's header is not {', '.join(names)}", UPDATE)
        starts.append(found)
        position = found + len(name)
    if line[position:].strip():
        raise ProbeError(f"{what}: unknown column {line[position:].strip()}", UPDATE)
    return starts


def _row(line: str, names: list[str], starts: list[int], what: str) -> dict[str, str]:
    ends = [*starts[1:], len(line) + 1]
    for start in starts[1:]:
        if start <= len(line) and line[start - 1 : start].strip():
            raise ProbeError(f"{what}: a row does not keep its columns", UPDATE)
    return {name: line[start:end].strip() for name, start, end in zip(names, starts, ends, strict=True)}


def number(cell: str, what: str) -> int:
    """Return a cell as a whole number.

    Raises:
        ProbeError: it is none.
    """
    if not (cell.isascii() and cell.isdigit()):
        raise ProbeError(f"{what}: {cell!r} is not a number", UPDATE)
    return int(cell)


def hexadecimal(cell: str, what: str) -> int:
    """Return an id that is written in hexadecimal.

    Raises:
        ProbeError: it is none.
    """
    if not cell or not set(cell) <= set("0123456789abcdef"):
        raise ProbeError(f"{what}: {cell!r} is not an id", UPDATE)
    return int(cell, 16)


def truth(cell: str, what: str) -> bool:
    """Return a cell as True or False.

    Raises:
        ProbeError: it is neither `true` nor `false`.
    """
    if cell not in {"true", "false"}:
        raise ProbeError(f"{what}: {cell!r} is neither true nor false", UPDATE)
    return cell == "true"


def members(text: str, what: str) -> list[EtcdMember]:
    """Return the rows of `talosctl etcd members`.

    Raises:
        ProbeError: another shape.
    """
    return [
        EtcdMember(
            hexadecimal(row["ID"], what),
            row["HOSTNAME"],
            _list(row["PEER URLS"]),
            _list(row["CLIENT URLS"]),
            truth(row["LEARNER"], what),
        )
        for row in table(text, MEMBERS, what)
    ]


def statuses(text: str, what: str, endpoint: str) -> list[EtcdStatus]:
    """Return the rows of `talosctl etcd status`; `endpoint` names the node that was asked.

    Raises:
        ProbeError: another shape.
    """
    return [
        EtcdStatus(
            endpoint, hexadecimal(row["MEMBER"], what), hexadecimal(row["LEADER"], what), row["PROTOCOL"],
            number(row["RAFT INDEX"], what), number(row["RAFT APPLIED INDEX"], what),
            number(row["RAFT TERM"], what), truth(row["LEARNER"], what), tuple(filter(None, [row["ERRORS"]])),
        )
        for row in table(text, STATUS, what)
    ]  # fmt: skip


def alarms(text: str, what: str) -> list[str]:
    """Return the alarms of `talosctl etcd alarm list`, `member alarm` each.

    It prints nothing at all where there is none.

    Raises:
        ProbeError: another shape.
    """
    return [f"{row['MEMBER']} {row['ALARM']}" for row in table(text, ALARMS, what)]


def listeners(text: str, what: str) -> list[Listener]:
    """Return the rows of `talosctl netstat --listening --tcp`.

    Raises:
        ProbeError: another shape.
    """
    found = []
    for row in table(text, SOCKETS, what):
        address, _, port = row["Local Address"].rpartition(":")
        found.append(Listener(address, number(port, what)))
    return found


def _list(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split(",") if part)


@parsing("a node's version", UPDATE)
def version(text: str, what: str) -> TalosVersion:
    """Return what `talosctl version --json` says of one node.

    Raises:
        ProbeError: not exactly one answer, or no tag in it.
    """
    answers = talos_documents(text, what)
    tag = answers[0].get("version", {}).get("tag") if len(answers) == 1 else None
    if not tag:
        raise ProbeError(f"{what}: {len(answers)} answers, expected one with a version tag", UPDATE)
    return TalosVersion(str(tag), bool(answers[0].get("features", {}).get("rbac")))


def spec(document: Document, what: str) -> Mapping[str, Any]:
    """Return the `spec` of a Talos resource.

    Raises:
        ProbeError: there is none, or it is no mapping.
    """
    found = document.get("spec")
    if not isinstance(found, dict):
        raise ProbeError(f"{what}: a resource without a spec", UPDATE)
    return found


@parsing("a resource of a node", UPDATE)
def talos_identity(document: Document, what: str) -> str:
    """Return the id of a Talos resource.

    Raises:
        ProbeError: there is none.
    """
    found = document.get("metadata", {}).get("id")
    if not isinstance(found, str) or not found:
        raise ProbeError(f"{what}: a resource without an id", UPDATE)
    return found


def machineconfig(document: Document, what: str) -> list[Document]:
    """Return the YAML documents of a MachineConfig resource.

    Raises:
        ProbeError: its spec is not text, does not parse, or holds something other than mappings.
    """
    text = document.get("spec")
    if not isinstance(text, str):
        raise ProbeError(f"{what}: the machine configuration is not text", UPDATE)
    return yaml_documents(text, what)


def yaml_documents(text: str, what: str) -> list[Document]:
    """Return the mappings of a YAML stream, empty documents left out.

    Raises:
        ProbeError: it does not parse, holds nothing, or something other than mappings.
    """
    try:
        loaded = yaml.load_all(text, Loader=Shallow)
        found = [one for one in loaded if one is not None]
    except (yaml.YAMLError, *WRONG) as why:
        raise ProbeError(f"{what}: not YAML: {type(why).__name__}", "fix the file") from why
    if not found or not all(isinstance(one, dict) for one in found):
        raise ProbeError(f"{what}: no YAML mappings in it", "check that it is a machine configuration")
    return found


def mounts(text: str, what: str) -> list[Mount]:
    """Return the mounts of a `mountinfo` file, in mount order (later ones lie over earlier ones).

    Writable means that neither the mount nor its file system is read-only.

    Raises:
        ProbeError: a line in another shape, or no line at all.
    """
    found = [_mount(line, what) for line in text.splitlines() if line.strip()]
    if not found:
        raise ProbeError(f"{what}: an empty mount table", "read it with a credential that may read files")
    return found


def _mount(line: str, what: str) -> Mount:
    left, dash, right = line.partition(" - ")
    mine, theirs = left.split(), right.split()
    if not dash or len(mine) < 6 or len(theirs) < 3:
        raise ProbeError(f"{what}: a line of the mount table has another shape", UPDATE)
    writable = "ro" not in mine[5].split(",") and "ro" not in theirs[2].split(",")
    return Mount(_unescape(mine[4]), theirs[0], _unescape(theirs[1]), writable)


def _unescape(path: str) -> str:
    for code, char in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        path = path.replace(code, char)
    return path
