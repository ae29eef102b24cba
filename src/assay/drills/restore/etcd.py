"""The drill of etcd's restore: every control plane loses its disk; the runbook brings the cluster back.

Before anything is broken: the runbook's section must pass its lint, the quorum must hold, the newest snapshot
must restore in a scratch place. A ledger of rows and one Secret are written, a backup is taken while rows go
on being acknowledged, then the disks go. What comes back is compared with what was acknowledged.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from assay.backups.points import Points
from assay.config.profile import Profile
from assay.drills.drivers import DISKS
from assay.drills.engine.clock import answer_of, await_true, now
from assay.drills.engine.engine import armed, guard_kind
from assay.drills.engine.journal import folder_of
from assay.drills.engine.session_cache import cached_per_session
from assay.drills.faults.disks import Disks
from assay.drills.faults.quorum import Quorum
from assay.drills.restore.etcd_evidence import created, last_name, lost_rows, started_within, voters
from assay.drills.restore.inputs import CommandCursor, RestoreInputs
from assay.drills.restore.procedure import Procedure, StepError, Wait
from assay.drills.restore.records import Records
from assay.drills.restore.result import Budgets, Result, Stopwatch
from assay.drills.restore.sandbox import Sandbox
from assay.drills.workload.backup import backed_up
from assay.drills.workload.ledger import OperationLog
from assay.drills.workload.namespace import DrillNamespace, space
from assay.drills.workload.verdict import OK
from assay.errors import AssumptionError
from assay.model import Offender
from assay.probes.kube.client import Kube
from assay.probes.runbook.reader import Runbook


T = TypeVar("T")
SECTION = "Restore etcd"
SERVICE = "etcd"
TOOLS = ("talosctl", "etcdutl", "age", "rclone")
GATES = (
    ("ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1"),
    ("ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io/v1"),
    ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
    ("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
)
JOB = ("backups", "etcd-snapshot")
ROWS_BEFORE, ROWS_AFTER = 30, 12
PREPARING, VOTERS, ANSWER = 240.0, 420.0, 300.0
RECOVERED_READ_TIMEOUT_S = 60.0
NOTHING_TO_WIPE = "is not located"
STATIC = ("kube-system",)


def runbook_mistakes(runbook: Runbook) -> list[Offender]:
    """Return the lines of the restore section that would not work, nothing where all would.

    Raises:
        ProbeError: no such section, or a tool is not there to try it with.
    """
    found = [Offender(one.ref, one.why) for one in runbook.mistakes(SECTION)]
    recovers = [
        c for c in runbook.section(SECTION) if c.words[:1] == ("talosctl",) and "bootstrap" in c.words
    ]
    if not any(word.startswith("--recover-from=") for c in recovers for word in c.words):
        found.append(Offender(f"File {runbook.path.name}", "its restore section recovers nothing"))
    return found


class EtcdRestore:
    """The drill on the lab of one profile."""

    def __init__(self, profile: Profile, runbook: Path) -> None:
        """Carry out the restore section of `runbook`.

        Raises:
            GuardError: the stack is no lab, or it is not said which cluster it is.
            ProbeError: the profile lacks what the drill needs.
        """
        guard_kind(profile)
        self._profile = profile
        self._kube, self._scene = Kube.from_profile(profile), DrillNamespace.from_profile(profile)
        self._disks = Disks.from_profile(profile)
        self._quorum = Quorum.from_profile(profile)
        self._folder = folder_of(profile)
        self._target = ",".join(machine.name for machine in self._quorum.machines)
        self._kit = RestoreInputs(profile, runbook, SERVICE, TOOLS)
        self.runbook = Runbook(runbook, **self._kit.binaries)
        self._budgets = Budgets.from_profile(profile)
        self._apart = ThreadPoolExecutor(1)

    def result(self) -> Result:
        """Return the result of the drill; one run serves every control of a session.

        Raises:
            GuardError: a guard refused, or the old state could not be put back.
            ProbeError: something could not be read.
        """
        return cached_per_session((SERVICE, self._profile.file, self.runbook.path), self._drilled)

    def _drilled(self) -> Result:
        wrong = runbook_mistakes(self.runbook)
        return Result(None, tuple(wrong)) if wrong else self._run()

    def _run(self) -> Result:
        run = secrets.token_hex(4)
        with ExitStack() as stack:
            engine = stack.enter_context(armed(self._profile))
            self._preflight()
            writers = stack.enter_context(self._scene.opened(run, 2))
            canary = self._canary(run)
            ledger = OperationLog(self._folder / f"ledger-{run}.jsonl", writers)
            ledger.start()
            stack.callback(ledger.stop)
            begun = now()
            await_true(lambda: ledger.acked_since(begun) >= ROWS_BEFORE, "rows before the backup", 60)
            point = self._backup(run)
            await_true(lambda: ledger.acked_since(now() - 4) >= ROWS_AFTER, "rows after the backup", 60)
            gates = self._gates()
            with engine.acting(DISKS, self._target) as fault:
                result = self._restored(run, ledger, fault, point, gates, canary)
            await_true(self._scene.apiservers_ready, "every API server ready again", 300, every_s=1.0)
        return result

    def _preflight(self) -> None:
        await_true(self._quorum.holds, "three agreeing etcd voters before the drill", 300, every_s=1.0)
        await_true(self._scene.apiservers_ready, "every API server ready", 300, every_s=1.0)

    def _backup(self, run: str) -> float:
        """Take a backup by the declared job, and return the time it was begun once its snapshot verified."""
        points = Points.from_profile(self._profile)
        before = {one.id for one in points.snapshots()}
        begun = backed_up(self._kube, *JOB, run)
        fresh = next(one for one in points.snapshots() if one.id not in before)
        if fault := points.open(fresh).fault:
            raise AssumptionError(
                f"{fresh.ref}: {fault}", "without a snapshot that restores nothing is broken"
            )
        return begun

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        wire = self._kube.wire
        return wire.need(wire.ask(method, path, body), method, path).body

    def _canary(self, run: str) -> str:
        """Write one Secret and return its digest: it comes back only with the cluster's own key."""
        value = secrets.token_hex(16)
        meta = {"name": "canary", "namespace": space(run)}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"value": value}}
        self._ask("POST", f"/api/v1/namespaces/{space(run)}/secrets", body)
        return self._canary_now(run)

    def _canary_now(self, run: str) -> str:
        found = self._ask("GET", f"/api/v1/namespaces/{space(run)}/secrets/canary")
        return hashlib.sha256(str(found["data"]["value"]).encode()).hexdigest()

    def _gates(self) -> dict[str, str]:
        """Return the gate's objects: name -> UID."""
        return {
            f"{kind} {item['metadata']['name']}": str(item["metadata"]["uid"])
            for kind, version in GATES
            for item in self._kube.objects(kind, version=version)
        }

    def _restored(
        self,
        run: str,
        ledger: OperationLog,
        fault: float,
        point: float,
        gates: Mapping[str, str],
        canary: str,
    ) -> Result:
        watch, notes = Stopwatch(self._budgets, fault), dict[str, str]()
        self._disks.replace(self._target)
        try:
            steps = CommandCursor(self.runbook.section(SECTION))
            with self._kit.open_sandbox(self._folder) as envelope:
                procedure = self._procedure(envelope)
                size = self._runbook(procedure, steps, watch, notes)
                answered, wrong = self._apart.submit(self._answer, gates, canary, run).result()
                watch.lap("answer")
                notes["first answer"] = f"{answered - watch.t0:.0f} s after the fault"
                ops = ledger.stop()
                keys = self._apart.submit(self._scene.final_reads, run).result()
                bad, lost, newest = lost_rows(
                    ops, frozenset.intersection(*map(frozenset, keys.values())), point, fault
                )
                watch.lap("verify")
                restore = watch.finish(SERVICE, size, fault - newest, lost, not bad, "L3", notes)
                early = self._apart.submit(self._early, watch.t0, answered).result()
                for command in steps.rest():
                    procedure.run(command)
                full = now() - fault
        except StepError as failed:
            return Result(None, (Offender(failed.ref, failed.why),), notes=notes)
        Records.from_profile(self._profile).add(restore)
        acked = sum(op.outcome == OK for op in ops)
        return Result(restore, (*wrong, *bad, *early), acked, notes, full)

    def _procedure(self, envelope: Sandbox) -> Procedure:
        count = len(self._quorum.machines)
        waits = {
            " version": Wait(lambda _: True, PREPARING),
            " service etcd": Wait(lambda text: text.count("STATE    Preparing") == count, PREPARING),
            " bootstrap ": Wait(lambda _: True, 60),
            " etcd status": Wait(lambda text: voters(text) == count, VOTERS),
            " service kubelet restart": Wait(lambda _: True, 60),
        }
        return self._kit.procedure(envelope, waits, {"NODE_IP": tuple(self._profile.talos.workers.values())})

    def _runbook(
        self, procedure: Procedure, steps: CommandCursor, watch: Stopwatch, notes: dict[str, str]
    ) -> int:
        """Run the section up to and with `bootstrap`; return the size of the snapshot."""
        for command in steps.until("bootstrap"):
            try:
                printed = procedure.run(command)
            except StepError as failed:
                if "reset" in command.words and NOTHING_TO_WIPE in failed.why:
                    notes["reset"] = "the disks were empty: nothing to wipe"
                    continue
                raise
            if "lsf" in command.words:
                procedure.values["SNAPSHOT"] = last_name(printed, command)
            if "copyto" in command.words:
                watch.lap("fetch")
            if command.tool == "age":
                watch.lap("decrypt")
        size = (procedure.envelope.work / "db.snapshot").stat().st_size
        watch.lap("restore")
        return size

    def _answer(self, gates: Mapping[str, str], canary: str, run: str) -> tuple[float, list[Offender]]:
        """Wait for the first answer of the API and compare the gate and the Secret with what was there."""
        seen = answer_of(self._gates, ANSWER)
        moment = time.time()
        wrong = [
            Offender(name, "the gate came back without it") for name in gates if seen.get(name) != gates[name]
        ]
        if answer_of(lambda: self._canary_now(run), RECOVERED_READ_TIMEOUT_S) != canary:
            wrong.append(Offender(f"Secret {space(run)}/canary", "its value is another"))
        await_true(self._scene.apiservers_ready, "every API server ready", ANSWER, every_s=1.0)
        return moment, wrong

    def _early(self, fault: float, gated: float) -> list[Offender]:
        """Return the pods of workloads that were created after the fault, before the gate was seen.

        What was running before, the job of the drill's own backup among it, went through the gate then.
        """
        early = [
            item["metadata"]
            for item in answer_of(lambda: self._kube.objects("Pod", version="v1"), RECOVERED_READ_TIMEOUT_S)
            if started_within(item, fault, gated - 1) and created(item) > fault
        ]
        return [
            Offender(f"Pod {meta['namespace']}/{meta['name']}", "started before the gate was back")
            for meta in early
            if meta["namespace"] not in STATIC
        ]
