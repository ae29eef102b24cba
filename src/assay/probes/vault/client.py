"""Vault (or OpenBao, which has the same API), read member by member. The only module that imports hvac.

Values never leave this module: what it hands out of an entry are digests made with the caller's own key.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import hvac
from hvac.adapters import RawAdapter

from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.polling import poll
from assay.probes.guard import READING, SENT, Guard
from assay.probes.vault import facts
from assay.probes.vault.facts import OTHER, AuditDevice, Autopilot, Health, Peer, Seal, SecretEntry, Token
from assay.probes.vault.policy import VaultPolicy, VaultRole, policy, vault_role
from assay.probes.vault.requests import vault_request
from assay.probes.vault.trust import authority_of, system_authorities
from assay.secretscan.suspect import repeated


TIMEOUT_S = 10
MOST_FOLDERS = 10_000
LOOKUPS_AT_ONCE = 8  # 10,000 tokens take half a minute
# What Vault answers in its root namespace only, whichever one the token is of.
ROOT_ONLY = ("sys/health", "sys/seal-status", "sys/leader", "sys/ha-status", "sys/audit", "sys/storage/")
# What Vault says of a thing that it does not have any more: a token is refused in several ways while it ends.
ENDED = (400, 403, 404)
ENDING_S = 10.0
POLICIES = "sys/policies/acl"
Body = Mapping[str, object]


class SilentError(ProbeError):
    """A member did not answer at all."""


@dataclass(frozen=True, slots=True)
class VaultAnswer:
    """One HTTP answer: status, and the body as an object (empty where it was none)."""

    status: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def words(self) -> str:
        """Return the first error that Vault gives, on one line."""
        errors = self.body.get("errors") or self.body.get("warnings")
        return repeated(str(errors[0])) if errors and isinstance(errors, list) else ""


class VaultConnection:
    """One member's API with one token; says what happened as an Answer, or raises ProbeError."""

    def __init__(
        self, address: str, ca: Path | None, token: str = "", guard: Guard = READING, namespace: str = ""
    ) -> None:
        """Open no connection yet; what has a bigger effect than `guard` allows is not sent."""
        self.address, self._guard, self._namespace = address, guard, namespace
        trusted = str(ca) if ca else system_authorities()
        self._client = hvac.Client(address, verify=trusted, timeout=TIMEOUT_S, adapter=RawAdapter)
        self._client.session.trust_env = False  # no proxy and no .netrc of the person who runs this
        self._client.session.headers["User-Agent"] = SENT.agent
        self._client.token = token  # hvac would take one from the environment

    def ask(self, method: str, path: str, body: Body | None = None) -> VaultAnswer:
        """Return the answer, whatever its status.

        Raises:
            GuardError: it does more than is allowed here.
            ProbeError: none came, or one that is no JSON object.
        """
        self._guard.admit(vault_request(method, path))
        inner = self._namespace if not path.startswith(ROOT_ONLY) else ""
        more = {
            "raise_exception": False,
            "json": body,
            "headers": {"X-Vault-Namespace": inner} if inner else {},
        }
        try:
            reply = self._client.adapter.request(method, f"/v1/{path}", **more)
        except OSError as why:
            raise SilentError(
                f"{self.address}: {path}: {type(why).__name__}",
                "is this member up, and is [vault] ca the CA of its certificate?",
            ) from None
        try:
            said = json.loads(reply.content) if reply.content else {}
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise ProbeError(f"{self.address}: {path}: HTTP {reply.status_code} without a JSON object", OTHER)
        return VaultAnswer(int(reply.status_code), said)

    def need(self, method: str, path: str, body: Body | None = None) -> Mapping[str, Any]:
        """Return the body of an answer that must be 200 or 204.

        Raises:
            ProbeError: sealed, not initialised, without rights, not there, or anything else.
        """
        return needed(self.address, path, self.ask(method, path, body))


def needed(address: str, path: str, answer: VaultAnswer) -> Mapping[str, Any]:
    """Return the body of a good answer.

    Raises:
        ProbeError: the answer is no good; the message says which of the known reasons it is.
    """
    if answer.status in (200, 204):
        return answer.body
    reasons = {
        403: (
            "the token has no right to it",
            "give it the policy that assay rights writes, or renew it",
        ),
        404: ("not there", "check the mount and the path"),
        501: ("not initialised", "initialise and unseal it"),
        503: ("sealed", "unseal this member with the escrowed shares"),
    }
    said, remedy = reasons.get(
        answer.status, (f"HTTP {answer.status}: {answer.words}", "look at Vault's log")
    )
    raise ProbeError(f"{address}: {path}: {said}", remedy)


class Vault:
    """The members of the profile, read-only."""

    def __init__(
        self, addresses: tuple[str, ...], ca: Path | None, token: str, mount: str = "kv", entry: str = "",
        namespace: str = "",
    ) -> None:  # fmt: skip
        """Ask the members at `addresses`, and for what all of them know `entry`, with a read-only token."""
        self.addresses, self.mount = addresses, mount
        self._ca, self._token, self._namespace = ca, token, namespace
        self._connections = {address: self._connected(address) for address in addresses}
        self._entry = self._connected(entry) if entry else None

    def _connected(self, address: str) -> VaultConnection:
        return VaultConnection(address, self._ca, self._token, namespace=self._namespace)

    @classmethod
    def from_profile(cls, profile: Profile) -> Self:
        """Return the probe for the profile's members and token.

        Raises:
            ProbeError: the profile lacks them, or the token's file is empty.
        """
        profile.need_text("vault.addresses")
        ca, file = authority_of(profile), profile.need_path("vault.token")
        token = file.read_text(encoding="utf-8", errors="replace").strip()
        if not token.isascii() or not token.isprintable() or not token:
            raise ProbeError("vault.token: the file holds no token", "write the suite's token there again")
        known = profile.vault
        return cls(known.addresses, ca, token, known.mount, known.entry, known.namespace)

    def at_mount(self, mount: str) -> Vault:
        """Return the same members, with the values of another mount."""
        entry = self._entry.address if self._entry else ""
        return Vault(self.addresses, self._ca, self._token, mount, entry, self._namespace)

    # each member by itself ------------------------------------------------------------------------

    def health(self) -> list[Health]:
        """Return every member's own state; standbys are as healthy as the active one.

        Raises:
            ProbeError: none of them answers, or something else than Vault does.
        """
        found, reason = [], ProbeError("no member", "set addresses under [vault]")
        for address, connection in self._connections.items():
            try:
                answer = connection.ask("get", "sys/health")
                found.append(facts.health(address, answer.status, answer.body))
            except SilentError as silent:
                reason = silent
                found.append(Health(address, 0, False, False))
        if not any(member.answers for member in found):
            raise reason
        return found

    def seals(self) -> list[Seal]:
        """Return how every member is sealed."""
        return [facts.seal(a, d.need("get", "sys/seal-status")) for a, d in self._connections.items()]

    # what all of them know ------------------------------------------------------------------------

    @cached_property
    def connection(self) -> VaultConnection:
        """Return the connection to an unsealed member.

        Raises:
            ProbeError: there is none.
        """
        if self._entry is not None:
            return self._entry
        seen = self.health()
        for member in seen:
            if member.works:
                return self._connections[member.address]
        states = ", ".join(f"{m.address} {m.state}" for m in seen)
        raise ProbeError(f"no unsealed member: {states}", "unseal them with the escrowed shares")

    def storage(self) -> str:
        """Return the kind of storage that the data is kept in: `raft`, `consul`, `postgresql`."""
        return facts.seal(self.connection.address, self.connection.need("get", "sys/seal-status")).storage

    def ha_enabled(self) -> bool:
        """Return whether a standby takes over when the active member is lost."""
        return self.connection.need("get", "sys/leader").get("ha_enabled") is True

    def nodes(self) -> list[facts.VaultNode]:
        """Return the members as the active one knows them, whatever the storage is."""
        return facts.ha_nodes(self.connection.need("get", "sys/ha-status"))

    def peers(self) -> list[Peer]:
        """Return the members of the storage cluster, as its leader has them."""
        return facts.peers(self.connection.need("get", "sys/storage/raft/configuration"))

    def autopilot(self) -> Autopilot:
        """Return the storage cluster's health and how many more members it may lose."""
        return facts.autopilot(self.connection.need("get", "sys/storage/raft/autopilot/state"))

    def audit_devices(self) -> list[AuditDevice]:
        """Return the enabled audit devices."""
        return facts.audit_devices(self.connection.need("get", "sys/audit"))

    @parsing("Vault's answer", OTHER)
    def capabilities(self, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return path -> what the suite's token may do there: `read`, `list`, `sudo`, or `root` for all.

        Raises:
            ProbeError: Vault gives no answer.
        """
        said = self.connection.need("POST", "sys/capabilities-self", {"paths": list(paths)})
        return {path: frozenset(map(str, said["data"][path])) for path in paths}

    @parsing("Vault's answer", OTHER)
    def auth_methods(self) -> dict[str, str]:
        """Return path -> type of every auth method."""
        return facts.method_types(self.connection.need("get", "sys/auth"))

    @parsing("Vault's answer", OTHER)
    def mounts(self) -> dict[str, str]:
        """Return path -> type of every secrets engine; a KV's type carries its version, `kv 2`."""
        data = self.connection.need("get", "sys/mounts").get("data", {})
        return {path: facts.engine_type(row) for path, row in data.items()}

    @parsing("Vault's answer", OTHER)
    def roles(self, method: str = "kubernetes") -> list[VaultRole]:
        """Return every role of a Kubernetes auth method."""
        folder = f"auth/{method}/role"
        read = self._each(folder, lambda name: self.connection.ask("get", f"{folder}/{name}"))
        return [vault_role(name, _data(f"{folder}/{name}", body), method) for name, body in read]

    @parsing("Vault's answer", OTHER)
    def policies(self) -> list[VaultPolicy]:
        """Return every ACL policy but `root`, which has no text."""
        read = self._each(POLICIES, lambda name: self.connection.ask("get", f"{POLICIES}/{name}"))
        return [_policy(name, body) for name, body in read if name != "root"]

    def policy(self, name: str) -> VaultPolicy:
        """Return one ACL policy, parsed."""
        return _policy(name, self.connection.need("get", f"{POLICIES}/{name}"))

    @parsing("Vault's answer", OTHER)
    def tokens(self) -> list[Token]:
        """Return every live token; one that ended while they were read is left out, and only such a one.

        Raises:
            ProbeError: a token that lives cannot be looked up.
        """
        read = self._each(
            "auth/token/accessors",
            lambda one: self.connection.ask("post", "auth/token/lookup-accessor", {"accessor": one}),
        )
        return [facts.token(body) for _, body in read]

    # values, compared but never shown -------------------------------------------------------------

    @parsing("Vault's answer", OTHER)
    def entry(self, path: str, key: bytes) -> SecretEntry:
        """Return one entry's version and, by key, the HMAC-SHA256 of each value's bytes under `key`.

        Text is digested as UTF-8, anything else as compact JSON with sorted keys.

        Raises:
            ProbeError: not there, deleted, or the mount is no KV version 2.
        """
        self._need_v2()
        data = self._data(f"{self.mount}/data/{path}")
        values, about = data.get("data"), data.get("metadata") or {}
        if not isinstance(values, Mapping):
            raise ProbeError(f"{self.mount}/{path}: its newest version is deleted", "write it again")
        digests = {
            name: hmac.digest(key, facts.value_bytes(value), "sha256").hex() for name, value in values.items()
        }
        return SecretEntry(
            path, int(about.get("version", 0)), facts.moment(about.get("created_time")), digests
        )

    @parsing("Vault's answer", OTHER)
    def metadata(self, path: str) -> SecretEntry:
        """Return one entry's current version and when it was written, without reading any value.

        Raises:
            ProbeError: not there, or the mount is no KV version 2.
        """
        self._need_v2()
        data = self._data(f"{self.mount}/metadata/{path}")
        current = int(data.get("current_version", 0))
        written = (data.get("versions") or {}).get(str(current), {})
        return SecretEntry(path, current, facts.moment(written.get("created_time")))

    @parsing("Vault's answer", OTHER)
    def entries(self, folder: str = "") -> list[str]:
        """Return the paths of every entry below `folder`, to any depth, in their order.

        Raises:
            ProbeError: there are more folders than anybody has.
        """
        self._need_v2()
        found, ahead, folders = list[str](), [folder], 0
        while ahead:
            here, folders = ahead.pop(), folders + 1
            if folders > MOST_FOLDERS:
                raise ProbeError(f"{self.mount}/: more than {MOST_FOLDERS} folders", OTHER)
            for name in self._list(f"{self.mount}/metadata/{here}"):
                (ahead if name.endswith("/") else found).append(f"{here}{name}")
        return sorted(found)

    def _need_v2(self) -> None:
        kind = self.mounts().get(f"{self.mount}/", "")
        if kind != "kv 2":
            raise ProbeError(
                f"{self.mount}/ is {kind or 'not mounted'}, not KV version 2",
                f"`vault kv enable-versioning {self.mount}/`, or set mount under [vault]",
            )

    def _each(self, folder: str, ask: Callable[[str], VaultAnswer]) -> list[tuple[str, Mapping[str, Any]]]:
        """Return name and answer of everything that `folder` lists, without what went while it was read.

        What is refused is gone if the list, asked again for some seconds, has it no more: a token is in the
        list until its leases are revoked, and looked up no more from the first moment on.

        Raises:
            ProbeError: something cannot be read and stays in the list.
        """
        found, refused = list[tuple[str, Mapping[str, Any]]](), dict[str, VaultAnswer]()
        names = self._list(folder)
        with ThreadPoolExecutor(LOOKUPS_AT_ONCE) as pool:
            answers = list(pool.map(ask, names))
        for name, answer in zip(names, answers, strict=True):
            if answer.status in ENDED:
                refused[name] = answer
            else:
                found.append((name, needed(self.connection.address, folder, answer)))

        def gone() -> bool:
            return not refused.keys() & set(self._list(folder))

        if refused and not poll(gone, ENDING_S if found else 0):
            said = next(iter(refused.values()))
            needed(
                self.connection.address, f"{len(refused)} of {len(refused) + len(found)} of {folder}", said
            )
        return found

    def _list(self, path: str) -> list[str]:
        answer = self.connection.ask("list", path)
        if answer.status == 404 and not answer.words:
            return []
        data = needed(self.connection.address, path, answer).get("data") or {}
        return sorted(map(str, data.get("keys") or ()))

    def _data(self, path: str) -> Mapping[str, Any]:
        return _data(path, self.connection.need("get", path))


def _data(path: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
    data = said.get("data")
    if not isinstance(data, Mapping):
        raise ProbeError(f"{path}: no data in the answer", "is this Vault?")
    return data


def _policy(name: str, said: Mapping[str, Any]) -> VaultPolicy:
    return policy(name, str(_data(f"{POLICIES}/{name}", said).get("policy", "")))
