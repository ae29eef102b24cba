"""The drill of the control plane.

Every one of its nodes is lost once, the etcd leader's first, under acknowledged writes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.drills.clock import await_true, now
from assay.drills.fault import Driver, Launcher, interruptible, lost, resume
from assay.drills.journal import Journal, folder_of
from assay.drills.ledger import Ledger
from assay.drills.quorum import Quorum
from assay.drills.rollback import NODES, path_of, watched
from assay.drills.scene import Scene
from assay.drills.verdict import Finding, Loss, judge
from assay.errors import GuardError
from assay.probes.etcd import Etcd
from assay.probes.talos import Talos
from assay.probes.talos_facts import Machine


if TYPE_CHECKING:
    from assay.profile import Profile

WRITERS = 3
STEADY = 30
HOLD, LONGEST_HOLD = 12.0, 40.0
RECOVERED = 10
REJOIN = 300.0
HOPELESS = 60.0
_runs: dict[Path, Report] = {}


@dataclass(frozen=True, slots=True)
class Report:
    """What the drill found, and in which order the nodes were lost.

    `resumed` names what an earlier, killed drill had left.
    """

    finding: Finding
    order: tuple[str, ...]
    resumed: tuple[str, ...]


def forget() -> None:
    """Forget earlier runs, so that the next question drills again; for violations."""
    _runs.clear()


class Drill:
    """Drills on the stack of one profile. Every act is preceded by the guards and a durable way back."""

    def __init__(self, profile: Profile, quorum: Quorum, scene: Scene, driver: Driver) -> None:
        """Drill the stack of `profile` with these parts."""
        self._profile, self._quorum, self._scene, self._driver = profile, quorum, scene, driver
        self._folder = folder_of(profile)

    @classmethod
    def from_profile(cls, profile: Profile) -> Drill:
        """Return the drill for the stack of `profile`; nothing is asked or broken yet.

        Raises:
            GuardError: the stack is no lab.
            ProbeError: the profile lacks what a drill needs.
        """
        guard_kind(profile)
        driver = Launcher(profile.need_text("drill.launcher"))
        return cls(
            profile,
            Quorum(Talos.from_profile(profile), Etcd.from_profile(profile)),
            Scene.from_profile(profile),
            driver,
        )

    def control_planes_lost(self) -> Report:
        """Return the report on losing every control plane once; one run serves every control of a session.

        A breach ends the run after the node at hand is back: what follows would be drilled on a stack known
        to be unsafe.

        Raises:
            GuardError: a guard refused, the undo failed, or the steady state is not proven again.
            ProbeError: something could not be read.
        """
        if self._profile.file not in _runs:
            _runs[self._profile.file] = self._run()
        return _runs[self._profile.file]

    def _run(self) -> Report:
        run = secrets.token_hex(4)
        with ExitStack() as stack:
            stack.enter_context(interruptible())
            journal = Journal(path_of(self._profile, NODES))
            stack.callback(journal.close)
            stack.enter_context(watched(self._profile, NODES))
            self._guard()
            resumed = resume(journal, self._driver, self.is_up)
            before = self._await_quorum("before the drill")
            writers = stack.enter_context(self._scene.opened(run, WRITERS))
            ledger = Ledger(self._folder / f"ledger-{run}.jsonl", writers)
            ledger.start()
            stack.callback(ledger.stop)
            begun = now()
            await_true(
                lambda: ledger.acked_since(begun) >= STEADY,
                f"{STEADY} acknowledged writes before the first loss",
                60,
            )
            losses = self._losses(journal, ledger)
            ops, after = ledger.stop(), self._await_quorum("after the drill")
            finding = judge(ops, losses, self._scene.final_reads(run), before, after)
        return Report(finding, tuple(loss.node for loss in losses), tuple(resumed))

    def _losses(self, journal: Journal, ledger: Ledger) -> list[Loss]:
        left, losses = list(self._quorum.machines), list[Loss]()
        while left:
            self._guard()
            self._await_quorum(f"before losing one of {', '.join(m.name for m in left)}")
            self._await_apiservers()
            leader = self._quorum.leader()
            node = leader if leader in left else left[0]
            left.remove(node)
            losses.append(self._lose(node, node == leader, journal, ledger))
            if losses[-1].rejoined is None or ledger.longest_gap(losses[-1].killed, now()) > HOPELESS:
                break
        return losses

    def _lose(self, node: Machine, leader: bool, journal: Journal, ledger: Ledger) -> Loss:
        killed = now()
        with lost(journal, self._driver, node.name, self.is_up):
            self._must_be_gone(node)
            self._hold(ledger, killed)
            returned = now()
        rejoined = self._awaited(self._quorum.holds, REJOIN)
        self._awaited(self._scene.apiservers_ready, REJOIN)
        resumed = now()
        self._awaited(lambda: ledger.acked_since(resumed) >= RECOVERED, HOPELESS)
        return Loss(node.name, leader, killed, returned, rejoined)

    def _hold(self, ledger: Ledger, killed: float) -> None:
        while now() - killed < LONGEST_HOLD:
            time.sleep(1.0)
            if now() - killed > HOLD and ledger.acked_since(killed + HOLD / 2) >= RECOVERED:
                return

    def _must_be_gone(self, node: Machine) -> None:
        await_true(lambda: not self._quorum.answers(node), f"{node.named} going away", 20)

    def is_up(self, name: str) -> bool:
        """Return whether etcd answers on a control plane, after waiting a while for it."""
        node = self._quorum.machine(name)
        return self._awaited(lambda: self._quorum.answers(node), 90) is not None

    def _await_quorum(self, when: str) -> frozenset[int]:
        await_true(self._quorum.holds, f"three agreeing etcd voters {when}", REJOIN, every=1.0)
        return self._quorum.voters()

    def _await_apiservers(self) -> None:
        await_true(self._scene.apiservers_ready, "every API server ready", REJOIN, every=1.0)

    def _awaited(self, holds: Callable[[], bool], within: float) -> float | None:
        try:
            await_true(holds, "", within)
        except GuardError:
            return None
        return now()

    def _guard(self) -> None:
        guard_kind(self._profile)
        self._scene.check_cluster()


def guard_kind(profile: Profile) -> None:
    """Refuse every stack but a lab: this engine has no second pair of eyes yet.

    Raises:
        GuardError: the stack is no lab, or the profile does not say which cluster it is.
    """
    if profile.kind != "lab":
        raise GuardError(
            f"no drill on a {profile.kind} stack", 'only a profile with kind = "lab" may be drilled'
        )
    if not profile.cluster_uid:
        raise GuardError(
            "the profile does not say which cluster may be drilled", "set cluster_uid under [stack]"
        )
