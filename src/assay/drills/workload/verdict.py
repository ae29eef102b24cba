"""The verdict of a drill as a pure function of what was recorded. No clock, no network, no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


OK, FAIL, INFO = "ok", "fail", "info"


@dataclass(frozen=True, slots=True)
class Op:
    """One write as its client saw it: when it was sent, when the answer came, and what it was.

    `ok`: acknowledged. `fail`: surely not written. `info`: unknown (no answer, or an answer that leaves it
    open).
    """

    key: str
    start: float
    end: float
    outcome: str


@dataclass(frozen=True, slots=True)
class NodeLoss:
    """One node lost and returned: when (monotonic seconds), and whether it held the etcd leader.

    `rejoined` is None where it did not rejoin.
    """

    node: str
    leader: bool
    killed: float
    returned: float
    rejoined: float | None


@dataclass(frozen=True, slots=True)
class LossOutcome:
    """What one loss led to.

    Attributes:
        node: the node's name.
        leader: it held the etcd leader.
        write_gap: the longest time without an acknowledgement, seconds.
        rejoin: from its return to full membership, seconds; None where it did not rejoin.
    """

    node: str
    leader: bool
    write_gap: float
    rejoin: float | None

    @property
    def ref(self) -> str:
        """Return `Node name`."""
        return f"Node {self.node}"


@dataclass(frozen=True, slots=True)
class HistoryFindings:
    """What the history of all writes of a drill shows.

    Attributes:
        acked: acknowledged writes.
        unknown: writes whose outcome the client never learned.
        lost: keys acknowledged and absent from the final read of a server.
        phantom: keys refused and present in a final read.
        losses: in the order they were made.
        same_members: the voters are the same as before.
    """

    acked: int
    unknown: int
    lost: tuple[str, ...]
    phantom: tuple[str, ...]
    losses: tuple[LossOutcome, ...]
    same_members: bool

    @property
    def write_gap(self) -> float:
        """Return the worst gap of all losses, in seconds."""
        return max((loss.write_gap for loss in self.losses), default=0.0)


def check_history(
    ops: Sequence[Op],
    losses: Sequence[NodeLoss],
    reads: Mapping[str, Iterable[str]],
    before: Iterable[int],
    after: Iterable[int],
) -> HistoryFindings:
    """Return what the record shows.

    Args:
        ops: every write of the ledger.
        losses: in the order they were made; a loss is followed until the next one.
        reads: server -> keys of its final read, taken after everything was back.
        before: ids of the voters before.
        after: ids of the voters after.
    """
    acked = {op.key for op in ops if op.outcome == OK}
    failed = {op.key for op in ops if op.outcome == FAIL} - acked
    seen = [set(keys) for keys in reads.values()]
    missing = set(acked) if not seen else {key for keys in seen for key in acked - keys}
    phantom = {key for keys in seen for key in failed & keys}
    ends = sorted(op.end for op in ops if op.outcome == OK)
    until = [*(loss.killed for loss in losses[1:]), max((op.end for op in ops), default=0.0)]
    found = tuple(
        LossOutcome(
            loss.node,
            loss.leader,
            write_gap(ends, loss.killed, end),
            None if loss.rejoined is None else loss.rejoined - loss.returned,
        )
        for loss, end in zip(losses, until, strict=True)
    )
    unknown = sum(op.outcome == INFO for op in ops)
    return HistoryFindings(
        len(acked), unknown, tuple(sorted(missing)), tuple(sorted(phantom)), found, set(before) == set(after)
    )


def write_gap(acks: Sequence[float], killed: float, until: float) -> float:
    """Return the longest time without an acknowledgement in that window, both edges counted, in seconds.

    Args:
        acks: times of acknowledgements, ascending.
        killed: when the loss was made; a gap begun just before it counts from its last acknowledgement.
        until: where the loss stops being responsible.
    """
    earlier = [ack for ack in acks if ack <= killed]
    within = [ack for ack in acks if killed < ack <= until]
    edges = [earlier[-1] if earlier else killed, *within, max(until, killed)]
    return max(late - early for early, late in pairwise(edges))
