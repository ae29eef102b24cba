"""What Vault says of itself, as plain facts; no value and no token is in any of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assay.errors import ProbeError
from assay.formats.parsing import parsing


# What sys/health answers with, and which of it is a member that does its work.
CODES = {
    0: "does not answer", 200: "active", 429: "standby", 472: "disaster recovery secondary",
    473: "performance standby", 501: "not initialised", 503: "sealed",
}  # fmt: skip
AT_WORK = (200, 429, 472, 473)
# Where Vault's audit devices of type `file` may write to and nothing is kept.
NOWHERE = ("discard", "/dev/null")
OTHER = "is this Vault's address?"


@dataclass(frozen=True, slots=True)
class Health:
    """One member's own answer: `code` is the HTTP status of sys/health, 0 where none came."""

    address: str
    code: int
    initialised: bool
    sealed: bool
    version: str = ""
    cluster: str = ""

    @property
    def ref(self) -> str:
        """Return `VaultMember address`."""
        return f"VaultMember {self.address}"

    @property
    def answers(self) -> bool:
        """Return True if the member answered at all."""
        return self.code != 0

    @property
    def state(self) -> str:
        """Return the member's state in words."""
        return CODES.get(self.code, f"HTTP {self.code}")

    @property
    def works(self) -> bool:
        """Return True for an active member and for every kind of unsealed standby."""
        return self.code in AT_WORK and self.initialised and not self.sealed


@dataclass(frozen=True, slots=True)
class Seal:
    """How one member is sealed: kind, shares, threshold; `storage` is what it keeps its data in."""

    address: str
    kind: str
    sealed: bool
    initialised: bool
    threshold: int
    shares: int
    storage: str

    @property
    def ref(self) -> str:
        """Return `VaultMember address`."""
        return f"VaultMember {self.address}"


@dataclass(frozen=True, slots=True)
class Peer:
    """A row of the storage cluster's configuration."""

    node: str
    address: str
    leader: bool
    voter: bool

    @property
    def ref(self) -> str:
        """Return `VaultPeer node`."""
        return f"VaultPeer {self.node}"


@dataclass(frozen=True, slots=True)
class Autopilot:
    """The storage cluster as its leader sees it: how many more members may be lost, who is not healthy."""

    healthy: bool
    tolerance: int
    unhealthy: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VaultNode:
    """A member as the active one has it: its host, whether it is active."""

    host: str
    active: bool

    @property
    def ref(self) -> str:
        """Return `VaultMember host`."""
        return f"VaultMember {self.host}"


@dataclass(frozen=True, slots=True)
class AuditDevice:
    """An enabled audit device: its path, type (`file`, `socket`, `syslog`) and options."""

    path: str
    kind: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """Return `VaultAudit path`."""
        return f"VaultAudit {self.path}"

    @property
    def loss(self) -> str:
        """Return why what it is given is not kept, or not all of it; empty where it is."""
        place = self.options.get("file_path") or self.options.get("path", "")
        if self.kind == "file" and place in NOWHERE:
            return f"throws everything away: its file is {place}"
        return "keeps only what its filter lets through" if self.options.get("filter") else ""


@dataclass(frozen=True, slots=True)
class Token:
    """A live token by its accessor, which cannot be used to log in. `ttl` 0 and no expiry: it never ends."""

    accessor: str
    policies: tuple[str, ...]
    display: str
    path: str
    ttl: int
    expires: str
    orphan: bool

    @property
    def ref(self) -> str:
        """Return `VaultToken` with the display name and the first letters of the accessor."""
        return f"VaultToken {self.display or 'nameless'} {self.accessor[:8]}"

    @property
    def is_root(self) -> bool:
        """Return True if the token may do everything."""
        return "root" in self.policies


@dataclass(frozen=True, slots=True)
class SecretEntry:
    """One KV v2 entry without its values: path, version, when that version was written, digest by key.

    The digests are made with a key that lives as long as the comparison; see `Vault.entry`.
    """

    path: str
    version: int
    created: datetime
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """Return `VaultEntry path`."""
        return f"VaultEntry {self.path}"


@parsing("sys/health", OTHER)
def health(address: str, code: int, said: Mapping[str, Any]) -> Health:
    """Return what sys/health says.

    Raises:
        ProbeError: it is not the answer of a Vault.
    """
    if not code or code not in CODES or not isinstance(said.get("sealed"), bool):
        raise ProbeError(
            f"{address}: sys/health: HTTP {code}, not Vault's answer", "is this Vault's address?"
        )
    return Health(
        address,
        code,
        bool(said.get("initialized")),
        said["sealed"],
        str(said.get("version", "")),
        str(said.get("cluster_id", "")),
    )


@parsing("sys/seal-status", OTHER)
def seal(address: str, said: Mapping[str, Any]) -> Seal:
    """Return what sys/seal-status says.

    Raises:
        ProbeError: it is not the answer of a Vault.
    """
    if not isinstance(said.get("sealed"), bool):
        raise ProbeError(f"{address}: sys/seal-status: not Vault's answer", "is this Vault's address?")
    return Seal(
        address,
        str(said.get("type", "")),
        said["sealed"],
        bool(said.get("initialized")),
        int(said.get("t", 0)),
        int(said.get("n", 0)),
        str(said.get("storage_type", "")),
    )


@parsing("sys/storage/raft/configuration", OTHER)
def peers(said: Mapping[str, Any]) -> list[Peer]:
    """Return the rows of sys/storage/raft/configuration.

    Raises:
        ProbeError: there are none.
    """
    rows = _at(said, "data", "config", "servers")
    if not isinstance(rows, list) or not rows:
        raise ProbeError("the storage cluster has no members", "is Vault's storage raft?")
    return [
        Peer(str(r["node_id"]), str(r["address"]), bool(r.get("leader")), bool(r.get("voter"))) for r in rows
    ]


@parsing("autopilot", OTHER)
def autopilot(said: Mapping[str, Any]) -> Autopilot:
    """Return sys/storage/raft/autopilot/state.

    Raises:
        ProbeError: it has another shape.
    """
    data = said.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get("servers"), Mapping):
        raise ProbeError("autopilot: no state", "is Vault's storage raft?")
    unhealthy = sorted(name for name, row in data["servers"].items() if not row.get("healthy"))
    return Autopilot(bool(data.get("healthy")), int(data.get("failure_tolerance", 0)), tuple(unhealthy))


@parsing("sys/ha-status", OTHER)
def ha_nodes(said: Mapping[str, Any]) -> list[VaultNode]:
    """Return the members that sys/ha-status knows: the active one, and standbys that it heard of lately.

    Raises:
        ProbeError: there are none.
    """
    rows = _at(said, "data", "nodes")
    if not isinstance(rows, list) or not rows:
        raise ProbeError("sys/ha-status: no members", OTHER)
    return [VaultNode(str(row["hostname"]), bool(row["active_node"])) for row in rows]


@parsing("sys/audit", OTHER)
def audit_devices(said: Mapping[str, Any]) -> list[AuditDevice]:
    """Return the enabled audit devices, none where there are none."""
    rows = _at(said, "data")
    if not isinstance(rows, Mapping):
        raise ProbeError("sys/audit: no list", "is this Vault?")
    return [
        AuditDevice(
            path, str(row.get("type", "")), {k: str(v) for k, v in (row.get("options") or {}).items()}
        )
        for path, row in sorted(rows.items())
    ]


@parsing("a token", OTHER)
def token(said: Mapping[str, Any]) -> Token:
    """Return one token's own description, looked up by accessor."""
    data = said.get("data")
    if not isinstance(data, Mapping) or not data.get("accessor"):
        raise ProbeError("a token's description has no accessor", "is this Vault?")
    granted = {*(data.get("policies") or ()), *(data.get("identity_policies") or ())}
    return Token(
        str(data["accessor"]),
        tuple(sorted(map(str, granted))),
        str(data.get("display_name", "")),
        str(data.get("path", "")),
        int(data.get("ttl") or 0),
        str(data.get("expire_time") or ""),
        bool(data.get("orphan")),
    )


def value_bytes(value: object) -> bytes:
    """Return the bytes of a value: text as UTF-8, anything else as compact JSON with sorted keys."""
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def method_types(said: Mapping[str, Any]) -> dict[str, str]:
    """Return path -> type of every auth method of sys/auth."""
    return {path: str(row.get("type", "")) for path, row in (said.get("data") or {}).items()}


def engine_type(row: Mapping[str, Any]) -> str:
    """Return the type of a secrets engine; a KV's carries its version, `kv 2`."""
    kind, options = str(row.get("type", "")), row.get("options") or {}
    return f"kv {options.get('version', '1')}" if kind in ("kv", "generic") else kind


def moment(text: object) -> datetime:
    """Return a time that Vault wrote, with nanoseconds cut to what Python keeps.

    Raises:
        ProbeError: it is no time.
    """
    words = str(text).replace("Z", "+00:00")
    head, dot, rest = words.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    try:
        made = datetime.fromisoformat(
            f"{head}{dot}{digits[:6].ljust(6, '0')}{rest[len(digits) :]}" if dot else head
        )
    except ValueError as error:
        raise ProbeError("a time in Vault's answer is none", "is this Vault?") from error
    if made.tzinfo is None:
        raise ProbeError("a time in Vault's answer has no zone", "is this Vault?")
    return made


def _at(said: Mapping[str, Any], *keys: str) -> Any:  # noqa: ANN401 - JSON holds anything
    value: Any = said
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
