"""etcd itself, each member asked at its own address over mutual TLS by the JSON gateway.

Standard library only.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.probes.guard import SENT, Guard, Request
from assay.secretscan.suspect import repeated


ALARM_ACTION_GET = 0
# What the gateway is asked with POST and changes nothing.
QUESTIONS = {"/v3/cluster/member/list", "/v3/maintenance/status", "/v3/maintenance/alarm"}


@dataclass(frozen=True, slots=True)
class EtcdMember:
    """A row of the member list. A member that never started has no name."""

    id: int
    name: str
    peers: tuple[str, ...]
    clients: tuple[str, ...]
    learner: bool

    @property
    def ref(self) -> str:
        """Return `EtcdMember name`, or its id in hexadecimal while it has none."""
        return f"EtcdMember {self.name or format(self.id, '016x')}"

    @property
    def started(self) -> bool:
        """Return True if the member has joined: it then has a name and client addresses."""
        return bool(self.name and self.clients)


@dataclass(frozen=True, slots=True)
class EtcdStatus:
    """What one member says of itself, at `endpoint`, or by the Talos of that node.

    `leader` is 0 where it follows none; `index` and `applied` are revisions of raft.
    """

    endpoint: str
    member: int
    leader: int
    version: str
    index: int
    applied: int
    term: int
    learner: bool
    errors: tuple[str, ...]

    @property
    def ref(self) -> str:
        """Return `EtcdMember endpoint`."""
        return f"EtcdMember {self.endpoint}"

    @property
    def led(self) -> bool:
        """Return True if the member follows a leader."""
        return self.leader != 0


class Etcd:
    """The etcd members of the profile, read-only."""

    EFFECT: ClassVar[Effect] = Effect.READS

    def __init__(self, endpoints: tuple[str, ...], context: ssl.SSLContext, seconds: float = 5.0) -> None:
        """Ask `endpoints` (`https://host:2379`) with `context`.

        `seconds` is the time limit of one question.
        """
        self.endpoints = endpoints
        self._context = context
        self._seconds = seconds
        self._guard = Guard(self.EFFECT)

    @classmethod
    def from_profile(cls, profile: Profile) -> Self:
        """Return the probe for the profile's endpoints and client certificate.

        Raises:
            ProbeError: the profile lacks them, or they cannot be loaded.
        """
        profile.need_text("etcd.endpoints")
        paths = {name: str(profile.need_path(f"etcd.{name}")) for name in ("ca", "cert", "key")}
        try:
            context = ssl.create_default_context(cafile=paths["ca"])
            context.load_cert_chain(paths["cert"], paths["key"])
        except (ssl.SSLError, OSError) as why:
            raise ProbeError(
                f"the etcd client certificate cannot be used: {type(why).__name__}",
                "check ca, cert and key under [etcd]",
            ) from why
        return cls(profile.etcd.endpoints, context)

    @parsing("etcd's answer", "is this an etcd 3.4 or later?")
    def members(self, endpoint: str) -> list[EtcdMember]:
        """Return the member list as the member at `endpoint` sees it, asked linearizably.

        Raises:
            ProbeError: no answer, no quorum, or another shape.
        """
        rows = self.ask(endpoint, "/v3/cluster/member/list", {"linearizable": True}).get("members")
        if not isinstance(rows, list) or not rows:
            raise ProbeError(f"{endpoint}: no members in the answer", "is this an etcd 3.4 or later?")
        return [_member(row, endpoint) for row in rows]

    @parsing("etcd's answer", "is this an etcd 3.4 or later?")
    def status(self, endpoint: str) -> EtcdStatus:
        """Return what the member at `endpoint` says of itself.

        Raises:
            ProbeError: no answer, or another shape.
        """
        got = self.ask(endpoint, "/v3/maintenance/status", {})
        header = got.get("header", {})
        return EtcdStatus(
            endpoint,
            number_of(header.get("member_id"), endpoint),
            number_of(got.get("leader", "0"), endpoint),
            str(got.get("version", "")),
            number_of(got.get("raftIndex", "0"), endpoint),
            number_of(got.get("raftAppliedIndex", "0"), endpoint),
            number_of(got.get("raftTerm", "0"), endpoint),
            bool(got.get("isLearner", False)),
            tuple(map(str, got.get("errors", ()))),
        )

    @parsing("etcd's answer", "is this an etcd 3.4 or later?")
    def alarms(self, endpoint: str) -> list[str]:
        """Return the raised alarms, `member kind` each.

        Raises:
            ProbeError: no answer, or another shape.
        """
        got = self.ask(endpoint, "/v3/maintenance/alarm", {"action": ALARM_ACTION_GET}).get("alarms", [])
        return [f"{row.get('memberID', '?')} {row.get('alarm', 'NONE')}" for row in got]

    def ask(self, endpoint: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer of the member at `endpoint` to one request of the JSON gateway.

        Raises:
            GuardError: it does more than is allowed here.
            ProbeError: no answer, or another shape.
        """
        effect = Effect.READS if path in QUESTIONS and not body.get("action") else Effect.WRITES
        self._guard.admit(Request("etcd", "POST", path, effect))
        headers = {"Content-Type": "application/json", "User-Agent": SENT.agent}
        request = urllib.request.Request(endpoint + path, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self._seconds, context=self._context) as reply:
                parsed = json.loads(reply.read())
        except urllib.error.HTTPError as why:
            raise ProbeError(
                f"{endpoint}: {path}: HTTP {why.code}: {_words(why)}", "look at this etcd member"
            ) from why
        except (OSError, ValueError, RecursionError) as why:
            raise ProbeError(
                f"{endpoint}: {path}: no usable answer: {_reason(why)}",
                "is this member up and reachable from here?",
            ) from why
        if not isinstance(parsed, dict):
            raise ProbeError(f"{endpoint}: {path}: the answer is not an object", "is this an etcd?")
        return parsed


def _member(row: Mapping[str, Any], endpoint: str) -> EtcdMember:
    return EtcdMember(
        number_of(row.get("ID"), endpoint),
        str(row.get("name", "")),
        tuple(row.get("peerURLs", ())),
        tuple(row.get("clientURLs", ())),
        bool(row.get("isLearner", False)),
    )


def number_of(value: object, endpoint: str) -> int:
    """Return a number as the gateway writes it.

    Raises:
        ProbeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise ProbeError(f"{endpoint}: a number is missing in the answer", "is this an etcd 3.4 or later?")
    return int(value)


def _words(why: urllib.error.HTTPError) -> str:
    try:
        return repeated(str(json.loads(why.read()).get("message", "")))
    except (ValueError, OSError, AttributeError):
        return why.reason


def _reason(why: Exception) -> str:
    return str(getattr(why, "reason", "") or type(why).__name__)[:200]
