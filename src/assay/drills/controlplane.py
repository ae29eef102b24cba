"""The drill of the control plane: each of its nodes loses power once, the etcd leader's first.

A client outside writes all the time; what it was promised is compared with what is there in the end.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import dataclass

from assay.config.profile import Profile
from assay.drills.drivers import NODE
from assay.drills.engine.clock import await_true, now, time_when
from assay.drills.engine.engine import Engine, armed
from assay.drills.engine.journal import folder_of
from assay.drills.engine.session_cache import cached_per_session
from assay.drills.faults.quorum import Quorum
from assay.drills.specs import CONTROL_PLANES
from assay.drills.workload.ledger import OperationLog
from assay.drills.workload.namespace import DrillNamespace
from assay.drills.workload.verdict import HistoryFindings, NodeLoss, check_history
from assay.polling import poll
from assay.probes.talos.facts import Machine


WRITER_COUNT = 3
STEADY_WRITES, STEADY_TIMEOUT_S = 30, 60.0
OUTAGE_MIN_S, OUTAGE_MAX_S = 12.0, 40.0
RECOVERED_WRITES = 10
HOPELESS_GAP_S = 60.0


@dataclass(frozen=True, slots=True)
class ControlPlaneReport:
    """What the drill found, and in which order the nodes were lost.

    `resumed` names what an earlier, killed drill had left, `permission` says by what the stack was drilled.
    """

    finding: HistoryFindings
    order: tuple[str, ...]
    resumed: tuple[str, ...]
    permission: str = ""


class ControlPlaneDrill:
    """The drill on the stack of one profile."""

    spec = CONTROL_PLANES

    def __init__(self, profile: Profile, quorum: Quorum, namespace: DrillNamespace) -> None:
        """Drill the stack of `profile` with these parts."""
        self._profile, self._quorum, self._namespace = profile, quorum, namespace
        self._folder, self._times = folder_of(profile), profile.drill

    @classmethod
    def from_profile(cls, profile: Profile) -> ControlPlaneDrill:
        """Return the drill for the stack of `profile`; nothing is asked or broken yet.

        Raises:
            ProbeError: the profile lacks what a drill needs.
        """
        return cls(profile, Quorum.from_profile(profile), DrillNamespace.from_profile(profile))

    def result(self) -> ControlPlaneReport:
        """Return the report on losing every control plane once; one run serves every control of a session.

        A loss after which writing does not go on ends the drill: the stack is known to be unsafe.

        Raises:
            GuardError: a guard refused, the undo failed, or the steady state is not proven again.
            ProbeError: something could not be read.
        """
        return cached_per_session((self.spec.name, self._profile.file), self._run)

    def _run(self) -> ControlPlaneReport:
        run = secrets.token_hex(4)
        with ExitStack() as stack:
            engine = stack.enter_context(armed(self._profile, self.spec))
            before = self._await_quorum("before the drill")
            writers = stack.enter_context(self._namespace.opened(run, WRITER_COUNT))
            ledger = OperationLog(self._folder / f"ledger-{run}.jsonl", writers)
            ledger.start()
            stack.callback(ledger.stop)
            begun = now()
            await_true(
                lambda: ledger.acked_since(begun) >= STEADY_WRITES,
                f"{STEADY_WRITES} acknowledged writes before the first loss",
                STEADY_TIMEOUT_S,
            )
            losses = self._losses(engine, ledger)
            ops, after = ledger.stop(), self._await_quorum("after the drill")
            finding = check_history(ops, losses, self._namespace.final_reads(run), before, after)
        return ControlPlaneReport(
            finding, tuple(loss.node for loss in losses), engine.resumed, engine.permission
        )

    def _losses(self, engine: Engine, ledger: OperationLog) -> list[NodeLoss]:
        left, losses = list(self._quorum.machines), list[NodeLoss]()
        while left:
            self._await_quorum(f"before losing one of {', '.join(m.name for m in left)}")
            self._await_apiservers()
            leader = self._quorum.leader()
            node = leader if leader in left else left[0]
            left.remove(node)
            losses.append(self._lose(node, node == leader, engine, ledger))
            if losses[-1].rejoined is None or ledger.longest_gap(losses[-1].killed, now()) > HOPELESS_GAP_S:
                break
        return losses

    def _lose(self, node: Machine, leader: bool, engine: Engine, ledger: OperationLog) -> NodeLoss:
        killed = now()
        with engine.acting(NODE, node.name):
            self._must_be_gone(node)
            self._hold(ledger, now())
            returned = now()
        rejoined = time_when(self._quorum.holds, self._times.rejoin_s)
        poll(self._namespace.apiservers_ready, self._times.rejoin_s)
        resumed = now()
        poll(lambda: ledger.acked_since(resumed) >= RECOVERED_WRITES, HOPELESS_GAP_S)
        return NodeLoss(node.name, leader, killed, returned, rejoined)

    def _hold(self, ledger: OperationLog, gone: float) -> None:
        """Keep the node away until writes go on without it: never less than the minimum outage.

        `gone` is when it was observed to be gone: a launcher may take minutes to get there.
        """

        def writes_go_on() -> bool:
            late = ledger.acked_since(gone + OUTAGE_MIN_S / 2)
            return now() - gone > OUTAGE_MIN_S and late >= RECOVERED_WRITES

        poll(writes_go_on, OUTAGE_MAX_S, every_s=1.0)

    def _must_be_gone(self, node: Machine) -> None:
        await_true(lambda: not self._quorum.answers(node), f"{node.ref} going away", self._times.gone_s)

    def _await_quorum(self, when: str) -> frozenset[int]:
        await_true(
            self._quorum.holds, f"three agreeing etcd voters {when}", self._times.rejoin_s, every_s=1.0
        )
        return self._quorum.voters()

    def _await_apiservers(self) -> None:
        await_true(
            self._namespace.apiservers_ready, "every API server ready", self._times.rejoin_s, every_s=1.0
        )
