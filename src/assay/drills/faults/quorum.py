"""Whether etcd has a quorum with nothing to spare lost.

Three rows, one leader, no learner, no error, and all of them agree.

Exit codes and one member's word prove nothing: talosctl leaves a dead member's row out and exits 0, and a
member list names the dead as well. So each member is asked for itself, by the Talos of its node, and where
the profile has a certificate for etcd also directly; the answers must agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import ProbeError
from assay.probes.etcd import Etcd, EtcdMember, EtcdStatus
from assay.probes.net import tls
from assay.probes.talos.facts import Machine
from assay.probes.talos.read import API_PORT, Talos


LAG_MAX_ENTRIES = 1000
T = TypeVar("T")


class Quorum:
    """The etcd members of a stack, each asked for itself."""

    def __init__(self, talos: Talos, etcd: Etcd | None) -> None:
        """Ask the control planes of `talos`, and the endpoints of `etcd` where there is a way to them."""
        self._talos, self._etcd = talos, etcd

    @classmethod
    def from_profile(cls, profile: Profile) -> Quorum:
        """Return the quorum of the stack of `profile`.

        Raises:
            ProbeError: the profile does not name its nodes and members.
        """
        direct = Etcd.from_profile(profile) if profile.etcd.endpoints else None
        return cls(Talos.from_profile(profile, Effect.DISRUPTS), direct)

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Return the control planes."""
        return self._talos.controlplanes

    def machine(self, name: str) -> Machine:
        """Return the control plane called `name`.

        Raises:
            ProbeError: there is none.
        """
        for one in self.machines:
            if one.name == name:
                return one
        raise ProbeError(f"{name} is not a control plane of the profile", "check controlplanes under [talos]")

    def answers(self, node: Machine) -> bool:
        """Return True if the node's Talos API can be connected to."""
        try:
            return tls.probe_port(node.address, API_PORT, 1.0).state == "open"
        except ProbeError:
            return False

    def holds(self) -> bool:
        """Return True if every member answers for itself and nothing is wrong; unreadable counts as no."""
        try:
            return not self.wrong()
        except ProbeError:
            return False

    def wrong(self) -> list[str]:
        """Return what is wrong with the quorum, nothing where all is well.

        Raises:
            ProbeError: a member could not be asked.
        """
        lists = {node.name: members for node, members in self._each(self._talos.etcd_members)}
        rows = [row for _, row in self._each(self._talos.etcd_status)]
        alarms = [alarm for _, found in self._each(self._talos.etcd_alarms) for alarm in found]
        if self._etcd is not None:
            lists |= {endpoint: self._etcd.members(endpoint) for endpoint in self._etcd.endpoints}
            rows += [self._etcd.status(endpoint) for endpoint in self._etcd.endpoints]
        return [
            *judge_members(lists, len(self.machines)),
            *judge_status(rows, len(self.machines)),
            *(f"alarm {alarm}" for alarm in dict.fromkeys(alarms)),
        ]

    def _each(self, ask: Callable[[Machine], T]) -> list[tuple[Machine, T]]:
        """Ask every control plane, several at once.

        Raises:
            ProbeError: one of them does not answer.
        """

        def silent(_: object, problem: ProbeError) -> None:
            raise problem

        return self._talos.each(self.machines, ask, silent)

    def voters(self) -> frozenset[int]:
        """Return the ids of the voting members as the first control plane lists them.

        Raises:
            ProbeError: it could not be asked.
        """
        return frozenset(m.id for m in self._talos.etcd_members(self.machines[0]) if not m.learner)

    def leader(self) -> Machine:
        """Return the control plane whose etcd member leads.

        Raises:
            ProbeError: no leader, or none of the control planes.
        """
        for node, row in self._each(self._talos.etcd_status):
            if row.member == row.leader:
                return node
        raise ProbeError("no control plane leads etcd", "wait for an election")


def judge_members(lists: dict[str, list[EtcdMember]], count: int) -> list[str]:
    """Return what is wrong with the member lists.

    `count` started voters, no learner, own peer addresses, the same everywhere.
    """
    wrong = []
    for endpoint, members in lists.items():
        if len(members) != count:
            wrong.append(f"{endpoint} lists {len(members)} members, not {count}")
        wrong += [f"{endpoint}: {m.ref} is a learner" for m in members if m.learner]
        wrong += [f"{endpoint}: {m.ref} never started" for m in members if not m.started]
        if len({m.peers for m in members}) != len(members):
            wrong.append(f"{endpoint}: two members share a peer address")
    if len({frozenset(m.id for m in members) for members in lists.values()}) > 1:
        wrong.append("the members list different members")
    return wrong


def judge_status(rows: list[EtcdStatus], count: int) -> list[str]:
    """Return what is wrong with the status rows.

    One for each of `count` members, one leader, no error, no member far behind.
    """
    wrong = (
        []
        if len({row.member for row in rows}) == count
        else [f"{len({row.member for row in rows})} status rows, not {count}"]
    )
    leaders = {row.leader for row in rows}
    if len(leaders) != 1 or 0 in leaders or not leaders <= {row.member for row in rows}:
        wrong.append("the members do not follow one leader among them")
    wrong += [f"{row.ref}: {error}" for row in rows for error in row.errors]
    wrong += [f"{row.ref} answers as a learner" for row in rows if row.learner]
    newest = max((row.index for row in rows), default=0)
    wrong += [
        f"{row.ref} is {newest - row.applied} entries behind"
        for row in rows
        if newest - row.applied > LAG_MAX_ENTRIES
    ]
    if len({row.version for row in rows}) > 1:
        wrong.append("the members run different versions")
    return wrong
