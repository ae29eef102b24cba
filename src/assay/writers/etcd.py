"""The write side of etcd itself, by its JSON gateway: for violations on a lab."""

from __future__ import annotations

import base64
from typing import ClassVar

from assay.effect import Effect
from assay.probes.etcd import Etcd, number_of


class EtcdWriter(Etcd):
    """The members of the profile, written to: for violations on a lab only."""

    EFFECT: ClassVar[Effect] = Effect.WRITES

    def add_learner(self, endpoint: str, peer: str) -> int:
        """Add a learner that will never start, with peer address `peer`; return its id.

        Raises:
            ProbeError: refused.
        """
        got = self.ask(endpoint, "/v3/cluster/member/add", {"peerURLs": [peer], "isLearner": True})
        return number_of(got.get("member", {}).get("ID"), endpoint)

    def remove_member(self, endpoint: str, member: int) -> None:
        """Take a member out of the list.

        Raises:
            ProbeError: refused.
        """
        self.ask(endpoint, "/v3/cluster/member/remove", {"ID": str(member)})

    def put(self, endpoint: str, key: str, value: bytes) -> None:
        """Write a raw value.

        Raises:
            ProbeError: refused.
        """
        self.ask(endpoint, "/v3/kv/put", {"key": _b64(key.encode()), "value": _b64(value)})

    def erase(self, endpoint: str, key: str) -> None:
        """Delete a key with its earlier revisions, which a snapshot would hold until the next compaction.

        Raises:
            ProbeError: refused.
        """
        gone = self.ask(endpoint, "/v3/kv/deleterange", {"key": _b64(key.encode())})
        revision = number_of(gone.get("header", {}).get("revision"), endpoint)
        self.ask(endpoint, "/v3/kv/compaction", {"revision": str(revision), "physical": True})


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
