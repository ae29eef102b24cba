"""The drill of Vault's restore: into a scratch namespace, inside the sandbox, by the runbook.

Entries are written into the old Vault until the fault. From then on nothing of it is used: not its members,
and no snapshot that was begun later. What comes back is compared with what was acknowledged, and with all
that the old one was made of.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from assay.config.platform import Service, covered
from assay.config.profile import Profile
from assay.drills import specs
from assay.drills.drivers import ENTRIES
from assay.drills.engine.clock import await_true, now
from assay.drills.engine.engine import Engine
from assay.drills.faults.vault_entries import FOLDER
from assay.drills.restore import vault_evidence as evidence
from assay.drills.restore.procedure import StepError, Wait
from assay.drills.restore.result import RestoreResult, Stopwatch
from assay.drills.restore.scratch_restore import ScratchRestore, ended, ready
from assay.drills.restore.vault_evidence import VaultState
from assay.drills.workload.backup import backed_up
from assay.drills.workload.ledger import OperationLog, outcome_of
from assay.drills.workload.verdict import INFO, OK, Op
from assay.errors import AssumptionError, ProbeError
from assay.model import Offender
from assay.probes.kube.forward import forwarded
from assay.probes.vault.client import Vault
from assay.secretscan.fingerprint import Fingerprinter
from assay.writers.vault import drill_connection


API_PORT = 8200
ROWS_MIN, MORE_ROWS = 20, 8
FETCH_TIMEOUT_S, INSTALL_TIMEOUT_S, READY_TIMEOUT_S = 300.0, 180.0, 60.0


@dataclass(frozen=True, slots=True)
class KeyWriterLog:
    """The ledger, and what the old Vault was made of.

    Attributes:
        run: all entries lie in the folder `assay-drill-<run>`.
        ops: the writes until the fault.
        point: when the snapshot was begun.
        fault: when the ledger ended, and the old Vault with it.
        state: the old Vault without the ledger.
    """

    run: str
    ops: list[Op]
    point: float
    fault: float
    state: VaultState


class VaultRestore(ScratchRestore):
    """The drill on the stack of one profile."""

    spec = specs.VAULT

    def __init__(self, profile: Profile, runbook: Path, service: Service) -> None:
        """Carry out the section of `runbook`; errors as for RestoreDrill."""
        super().__init__(profile, runbook, service)
        self._old, self._writer = Vault.from_profile(profile), drill_connection(profile)
        self._token = profile.need_path("vault.token").read_text(encoding="utf-8").strip()
        self._fingerprinter = Fingerprinter()

    def _run(self, engine: Engine) -> RestoreResult:
        shares = self._shares()
        with self._scratch(engine), engine.acting(ENTRIES, FOLDER):
            return self._restored(self._ledger(), shares)

    def _shares(self) -> tuple[str, ...]:
        """Return the files of as many escrowed shares as unseal the old Vault, as the sandbox has them.

        Raises:
            AssumptionError: the escrow kit holds fewer, or the profile does not say which files they are.
        """
        needed = max(one.threshold for one in self._old.seals())
        kit = sorted(one.name for one in self._profile.need_path("escrow.folder").iterdir())
        found = [name for name in kit if covered(name, (self.service.shares,))]
        if len(found) < needed:
            raise AssumptionError(
                f"the escrow kit holds {len(found)} shares of {self.service.name}, {needed} unseal it",
                f"set shares of {self.service.name} under [[platform.services]] to a glob over their files",
            )
        return tuple(f"../escrow/{name}" for name in found[:needed])

    # before the fault -----------------------------------------------------------------------------

    def _ledger(self) -> KeyWriterLog:
        """Write entries before, during and after a snapshot; the end of it is the fault."""
        run, state = secrets.token_hex(4), self._state(self._old)
        with ExitStack() as stack:
            ledger = OperationLog(self._folder / f"ledger-{run}.jsonl", [self._write(run)] * 2)
            stack.callback(ledger.stop)
            ledger.start()
            self._await_rows(ledger, ROWS_MIN)
            point = backed_up(self._kube, self._profile.platform, self.service, run)
            self._await_rows(ledger, MORE_ROWS)
            ops = ledger.stop()
        return KeyWriterLog(run, ops, point, now(), state)

    def _write(self, run: str) -> Callable[[str], str]:
        def write(key: str) -> str:
            try:
                path = f"{self._old.mount}/data/{FOLDER}{run}/{key}"
                return outcome_of(self._writer.ask("post", path, {"data": {"mark": _mark(run, key)}}).status)
            except ProbeError:
                return INFO

        return write

    def _await_rows(self, ledger: OperationLog, count: int) -> None:
        begun = now()
        await_true(lambda: ledger.acked_since(begun) >= count, f"{count} entries confirmed by Vault", 60)

    # the restore ----------------------------------------------------------------------------------

    def _restored(self, written: KeyWriterLog, shares: tuple[str, ...]) -> RestoreResult:
        watch, wrong, restore = Stopwatch(self._budgets, written.fault), list[Offender](), None
        notes = {
            "old Vault": "left running and not used: its data counts as gone from the fault on",
            "images": "of the registry, possibly in the node's cache already",
        }
        try:
            with self._opened(self._waits(), {"SHARE": shares}, FETCH_TIMEOUT_S) as (procedure, steps):
                ends = {"fetch": "fetch", "get": "restore", "check": "answer"}
                size = 0
                for command in steps.until("check"):
                    printed = procedure.run(command)
                    if "check" in command.words and not evidence.shown(printed):
                        raise StepError(command.ref, "no application's login reads an entry")
                    if "lsf" in command.words:
                        procedure.values["SNAPSHOT"] = evidence.newest_before(printed, watch.t0, command)
                    size = size or evidence.fetched_snapshot(printed)
                    if part := next((part for word, part in ends.items() if word in command.words), ""):
                        watch.lap(part)
                authority = procedure.sandbox.work / "tls.crt"
                after, present = self._unwatched.submit(self._looked, authority, written.run).result()
                bad, lost, newest = evidence.state_rows(written.ops, present, written.point, written.fault)
                wrong = [*evidence.compare_state(written.state, after), *bad]
                watch.lap("verify")
                for command in steps.rest():
                    procedure.run(command)
            notes["snapshot"] = str(procedure.values["SNAPSHOT"])
            notes["compared"] = f"{len(after.parts)} parts of Vault, {len(after.entries)} entries, by digest"
            restore = watch.finish(
                self.service.name, size, written.fault - newest, lost, not wrong, "L3", notes
            )  # fmt: skip
        except StepError as failed:
            wrong.append(self._offender(failed))
        acked = sum(op.outcome == OK for op in written.ops)
        return RestoreResult(restore if not wrong else None, tuple(wrong), acked, notes)

    def _waits(self) -> dict[str, Wait]:
        return {
            " logs --follow ": Wait(
                lambda log: evidence.fetched_snapshot(log) > 0, FETCH_TIMEOUT_S, evidence.broken
            ),
            " logs ": Wait(evidence.installed_snapshot, INSTALL_TIMEOUT_S, evidence.broken),
            " get pod ": Wait(ready, READY_TIMEOUT_S, ended),
        }

    def _offender(self, failed: StepError) -> Offender:
        """Return what to name; where the shares do not open it, the escrow failed, not the line."""
        said = super()._offender(failed)
        opens = [one.ref for one in self.commands if "unseal" in one.words]
        if said.ref in opens:
            return Offender(self.ref, f"the escrowed shares do not open it: {failed.why}")
        return said

    # looking into both past the runbook, with the suite's own token ----------------------------------

    def _looked(self, authority: Path, run: str) -> tuple[VaultState, dict[str, bool]]:
        """Return what the restored Vault is made of, and the ledger's keys with whether each is right."""
        profile = self._profile
        kubectl, config = profile.need_path("tools.kubectl"), profile.need_path("kube.kubeconfig")
        with forwarded(kubectl, config, self.place.namespace, f"pod/{self.place.pod}", API_PORT) as port:
            new = Vault((f"https://127.0.0.1:{port}",), authority, self._token, self._old.mount)
            return self._state(new), self._rows(new, run)

    def _rows(self, vault: Vault, run: str) -> dict[str, bool]:
        folder, found = f"{FOLDER}{run}/", {}
        for path in vault.entries(folder):
            key = path.removeprefix(folder)
            right = self._fingerprinter.fingerprint(_mark(run, key).encode()).hex()
            found[key] = vault.entry(path, self._fingerprinter.key).digests == {"mark": right}
        return found

    def _state(self, vault: Vault) -> VaultState:
        """Return what a Vault is made of; a value is a digest under the drill's own key."""
        parts = {f"Mount {path}": kind for path, kind in vault.mounts().items()}
        methods = vault.auth_methods()
        parts |= {f"Auth {path}": kind for path, kind in methods.items()}
        parts |= {f"Audit {one.path}": repr(one) for one in vault.audit_devices()}
        parts |= {f"Policy {one.name}": repr(one) for one in vault.policies()}
        clusters = [path for path, kind in methods.items() if kind == "kubernetes"]
        parts |= {
            f"Role {path}{one.name}": repr(one) for path in clusters for one in vault.roles(path.strip("/"))
        }
        paths = [path for path in vault.entries() if not path.startswith(FOLDER)]
        return VaultState(parts, {path: repr(vault.entry(path, self._fingerprinter.key)) for path in paths})


def _mark(run: str, key: str) -> str:
    return f"ledger-{run}-{key}"
