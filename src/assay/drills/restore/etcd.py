"""The drill of etcd's restore: every control plane loses its disk; the runbook brings the cluster back.

Before anything is broken: the runbook's section must pass its lint, the quorum must hold, the newest snapshot
must restore in a scratch place. A ledger of rows and one Secret are written, a backup is taken while rows go
on being acknowledged, then the disks go. What comes back is compared with what was acknowledged.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from assay.backups.points import Points
from assay.config.platform import Service
from assay.config.profile import Profile
from assay.drills.drivers import DISKS
from assay.drills.engine.clock import answer_of, await_true, now
from assay.drills.engine.engine import Engine
from assay.drills.faults.nodes import Disks
from assay.drills.faults.quorum import Quorum
from assay.drills.restore.drill import RestoreDrill
from assay.drills.restore.etcd_evidence import created, last_name, lost_rows, started_within, voters
from assay.drills.restore.inputs import CommandCursor
from assay.drills.restore.procedure import Procedure, StepError, Wait
from assay.drills.restore.result import RestoreResult, Stopwatch
from assay.drills.restore.sandbox import Sandbox
from assay.drills.specs import ETCD
from assay.drills.workload.backup import backed_up
from assay.drills.workload.ledger import OperationLog
from assay.drills.workload.namespace import DrillNamespace, space
from assay.drills.workload.verdict import OK
from assay.errors import AssumptionError
from assay.model import Offender


ADMISSION_KINDS = (
    ("ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1"),
    ("ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io/v1"),
    ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
    ("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
)
ROWS_BEFORE, ROWS_AFTER = 30, 12
PREPARING_TIMEOUT_S, VOTERS_TIMEOUT_S, ANSWER_TIMEOUT_S = 240.0, 420.0, 300.0
RECOVERED_READ_TIMEOUT_S = 60.0
PREPARING = "STATE    Preparing"
NOTHING_TO_WIPE = "is not located"
STATIC_POD_NAMESPACES = ("kube-system",)


class EtcdRestore(RestoreDrill):
    """The drill on the lab of one profile."""

    spec = ETCD
    tools = ("talosctl", "etcdutl", "age", "rclone")

    def __init__(self, profile: Profile, runbook: Path, service: Service) -> None:
        """Carry out the restore section of `runbook`; errors as for RestoreDrill."""
        super().__init__(profile, runbook, service)
        self._namespace, self._disks = DrillNamespace.from_profile(profile), Disks.from_profile(profile)
        self._quorum = Quorum.from_profile(profile)
        self._target = ",".join(machine.name for machine in self._quorum.machines)

    def _mistakes(self) -> Sequence[Offender]:
        """Return the lines of the section that would not work; one that recovers nothing does not either."""
        found = list(super()._mistakes())
        bootstraps = [
            one.words for one in self.commands if one.words[:1] == ("talosctl",) and "bootstrap" in one.words
        ]
        if not any(word.startswith("--recover-from=") for words in bootstraps for word in words):
            found.append(Offender(f"File {self.runbook.path.name}", "its restore section recovers nothing"))
        return found

    def _run(self, engine: Engine) -> RestoreResult:
        run = secrets.token_hex(4)
        with ExitStack() as stack:
            self._preflight()
            writers = stack.enter_context(self._namespace.opened(run, 2))
            canary = self._canary(run)
            ledger = OperationLog(self._folder / f"ledger-{run}.jsonl", writers)
            ledger.start()
            stack.callback(ledger.stop)
            begun = now()
            await_true(lambda: ledger.acked_since(begun) >= ROWS_BEFORE, "rows before the backup", 60)
            point = self._backup(run)
            await_true(lambda: ledger.acked_since(now() - 4) >= ROWS_AFTER, "rows after the backup", 60)
            admission = self._admission()
            with engine.acting(DISKS, self._target) as fault:
                result = self._restored(run, ledger, fault, point, admission, canary)
            await_true(self._namespace.apiservers_ready, "every API server ready again", 300, every_s=1.0)
        return result

    def _preflight(self) -> None:
        await_true(self._quorum.holds, "three agreeing etcd voters before the drill", 300, every_s=1.0)
        await_true(self._namespace.apiservers_ready, "every API server ready", 300, every_s=1.0)

    def _backup(self, run: str) -> float:
        """Take a backup by the declared job, and return the time it was begun once its snapshot verified."""
        points = Points.from_profile(self._profile)
        before = {one.id for one in points.snapshots()}
        begun = backed_up(self._kube, self._profile.platform, self.service, run)
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

    def _admission(self) -> dict[str, str]:
        """Return the gate's objects: name -> UID."""
        return {
            f"{kind} {item['metadata']['name']}": str(item["metadata"]["uid"])
            for kind, version in ADMISSION_KINDS
            for item in self._kube.objects(kind, version=version)
        }

    def _restored(
        self,
        run: str,
        ledger: OperationLog,
        fault: float,
        point: float,
        admission: Mapping[str, str],
        canary: str,
    ) -> RestoreResult:
        watch, notes = Stopwatch(self._budgets, fault), dict[str, str]()
        self._disks.replace(self._target)
        try:
            steps = CommandCursor(self.commands)
            with self._inputs.open_sandbox(self._folder) as sandbox:
                procedure = self._procedure(sandbox)
                size = self._runbook(procedure, steps, watch, notes)
                answered, wrong = self._unwatched.submit(self._answer, admission, canary, run).result()
                watch.lap("answer")
                notes["first answer"] = f"{answered - watch.t0:.0f} s after the fault"
                ops = ledger.stop()
                keys = self._unwatched.submit(self._namespace.final_reads, run).result()
                bad, lost, newest = lost_rows(
                    ops, frozenset.intersection(*map(frozenset, keys.values())), point, fault
                )
                watch.lap("verify")
                restore = watch.finish(self.service.name, size, fault - newest, lost, not bad, "L3", notes)
                early = self._unwatched.submit(self._early, watch.t0, answered).result()
                for command in steps.rest():
                    procedure.run(command)
                full = now() - fault
        except StepError as failed:
            return RestoreResult(None, (Offender(failed.ref, failed.why),), notes=notes)
        acked = sum(op.outcome == OK for op in ops)
        return RestoreResult(restore, (*wrong, *bad, *early), acked, notes, full)

    def _procedure(self, sandbox: Sandbox) -> Procedure:
        count = len(self._quorum.machines)
        waits = {
            " version": Wait(lambda _: True, PREPARING_TIMEOUT_S),
            " service etcd": Wait(lambda text: text.count(PREPARING) == count, PREPARING_TIMEOUT_S),
            " bootstrap ": Wait(lambda _: True, 60),
            " etcd status": Wait(lambda text: voters(text) == count, VOTERS_TIMEOUT_S),
            " service kubelet restart": Wait(lambda _: True, 60),
        }
        return self._inputs.procedure(sandbox, waits, {"NODE_IP": self._inputs.addresses[1]})

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
        size = (procedure.sandbox.work / "db.snapshot").stat().st_size
        watch.lap("restore")
        return size

    def _answer(self, admission: Mapping[str, str], canary: str, run: str) -> tuple[float, list[Offender]]:
        """Wait for the first answer of the API and compare the gate and the Secret with what was there."""
        seen = answer_of(self._admission, ANSWER_TIMEOUT_S)
        moment = time.time()
        wrong = [
            Offender(name, "the gate came back without it")
            for name in admission
            if seen.get(name) != admission[name]
        ]
        if answer_of(lambda: self._canary_now(run), RECOVERED_READ_TIMEOUT_S) != canary:
            wrong.append(Offender(f"Secret {space(run)}/canary", "its value is another"))
        await_true(self._namespace.apiservers_ready, "every API server ready", ANSWER_TIMEOUT_S, every_s=1.0)
        return moment, wrong

    def _early(self, fault: float, admitted: float) -> list[Offender]:
        """Return the pods of workloads that were created after the fault, before the gate was seen.

        What was running before, the job of the drill's own backup among it, went through the gate then.
        """
        early = [
            item["metadata"]
            for item in answer_of(lambda: self._kube.objects("Pod", version="v1"), RECOVERED_READ_TIMEOUT_S)
            if started_within(item, fault, admitted - 1) and created(item) > fault
        ]
        return [
            Offender(f"Pod {meta['namespace']}/{meta['name']}", "started before the gate was back")
            for meta in early
            if meta["namespace"] not in STATIC_POD_NAMESPACES
        ]
