"""The drill of the control plane.

Every one of its nodes is lost once, the etcd leader's first, under acknowledged writes.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import dataclass

from assay.config.profile import Profile
from assay.drills.drivers import NODE
from assay.drills.engine.clock import await_true, now, time_when
from assay.drills.engine.engine import Engine, armed, guard_kind
from assay.drills.engine.journal import folder_of
from assay.drills.engine.session_cache import cached_per_session
from assay.drills.faults.quorum import Quorum
from assay.drills.workload.ledger import OperationLog
from assay.drills.workload.namespace import DrillNamespace
from assay.drills.workload.verdict import Anomaly, LossKind, check_history
from assay.polling import poll
from assay.probes.talos.facts import Machine


WRITERS = 3
STEADY = 30
HOLD, LONGEST_HOLD = 12.0, 40.0
RECOVERED = 10
REJOIN = 300.0
HOPELESS = 60.0


@dataclass(frozen=True, slots=True)
class Report:
    """What the drill found, and in which order the nodes were lost.

    `resumed` names what an earlier, killed drill had left.
    """

    finding: Anomaly
    order: tuple[str, ...]
    resumed: tuple[str, ...]


class Drill:
    """Drills on the stack of one profile. Every act is preceded by the guards and a durable way back."""

    def __init__(self, profile: Profile, quorum: Quorum, scene: DrillNamespace) -> None:
        """Drill the stack of `profile` with these parts."""
        self._profile, self._quorum, self._scene = profile, quorum, scene
        self._folder = folder_of(profile)

    @classmethod
    def from_profile(cls, profile: Profile) -> Drill:
        """Return the drill for the stack of `profile`; nothing is asked or broken yet.

        Raises:
            GuardError: the stack is no lab.
            ProbeError: the profile lacks what a drill needs.
        """
        guard_kind(profile)
        return cls(profile, Quorum.from_profile(profile), DrillNamespace.from_profile(profile))

    def control_planes_lost(self) -> Report:
        """Return the report on losing every control plane once; one run serves every control of a session.

        A breach ends the run after the node at hand is back: what follows would be drilled on a stack known
        to be unsafe.

        Raises:
            GuardError: a guard refused, the undo failed, or the steady state is not proven again.
            ProbeError: something could not be read.
        """
        return cached_per_session(("control-planes", self._profile.file), self._run)

    def _run(self) -> Report:
        run = secrets.token_hex(4)
        with ExitStack() as stack:
            engine = stack.enter_context(armed(self._profile))
            before = self._await_quorum("before the drill")
            writers = stack.enter_context(self._scene.opened(run, WRITERS))
            ledger = OperationLog(self._folder / f"ledger-{run}.jsonl", writers)
            ledger.start()
            stack.callback(ledger.stop)
            begun = now()
            await_true(
                lambda: ledger.acked_since(begun) >= STEADY,
                f"{STEADY} acknowledged writes before the first loss",
                60,
            )
            losses = self._losses(engine, ledger)
            ops, after = ledger.stop(), self._await_quorum("after the drill")
            finding = check_history(ops, losses, self._scene.final_reads(run), before, after)
        return Report(finding, tuple(loss.node for loss in losses), engine.resumed)

    def _losses(self, engine: Engine, ledger: OperationLog) -> list[LossKind]:
        left, losses = list(self._quorum.machines), list[LossKind]()
        while left:
            self._await_quorum(f"before losing one of {', '.join(m.name for m in left)}")
            self._await_apiservers()
            leader = self._quorum.leader()
            node = leader if leader in left else left[0]
            left.remove(node)
            losses.append(self._lose(node, node == leader, engine, ledger))
            if losses[-1].rejoined is None or ledger.longest_gap(losses[-1].killed, now()) > HOPELESS:
                break
        return losses

    def _lose(self, node: Machine, leader: bool, engine: Engine, ledger: OperationLog) -> LossKind:
        killed = now()
        with engine.acting(NODE, node.name):
            self._must_be_gone(node)
            self._hold(ledger, killed)
            returned = now()
        rejoined = time_when(self._quorum.holds, REJOIN)
        poll(self._scene.apiservers_ready, REJOIN)
        resumed = now()
        poll(lambda: ledger.acked_since(resumed) >= RECOVERED, HOPELESS)
        return LossKind(node.name, leader, killed, returned, rejoined)

    def _hold(self, ledger: OperationLog, killed: float) -> None:
        def written_on() -> bool:
            return now() - killed > HOLD and ledger.acked_since(killed + HOLD / 2) >= RECOVERED

        poll(written_on, LONGEST_HOLD - (now() - killed), every_s=1.0)

    def _must_be_gone(self, node: Machine) -> None:
        await_true(lambda: not self._quorum.answers(node), f"{node.ref} going away", 20)

    def _await_quorum(self, when: str) -> frozenset[int]:
        await_true(self._quorum.holds, f"three agreeing etcd voters {when}", REJOIN, every_s=1.0)
        return self._quorum.voters()

    def _await_apiservers(self) -> None:
        await_true(self._scene.apiservers_ready, "every API server ready", REJOIN, every_s=1.0)
