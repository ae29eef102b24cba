"""The drill of Vault's restore: beside the old one, from the sealed envelope, by the runbook.

Entries are written into the old Vault until the fault. From then on nothing of it is used: not its members,
and no snapshot that was begun later. What comes back is compared with what was acknowledged, and with all
that the old one was made of.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.drills import vault_evidence as evidence
from assay.drills.backup import backed_up
from assay.drills.clock import await_true, now
from assay.drills.controlplane import guard_kind
from assay.drills.fault import interruptible, uninterrupted
from assay.drills.kit import Kit, Steps, pin, released
from assay.drills.ledger import Ledger, outcome_of
from assay.drills.postgres_evidence import ended, full, ready
from assay.drills.procedure import HopelessError, StepError, Wait
from assay.drills.records import Records
from assay.drills.restore import Budgets, Result, Stopwatch, once
from assay.drills.vault_evidence import NAMED, State
from assay.drills.verdict import INFO, OK, Op
from assay.errors import ProbeError
from assay.model import Offender
from assay.probes.kube import Kube
from assay.probes.kube_forward import forwarded
from assay.probes.runbook import Runbook
from assay.probes.vault import Door, Vault
from assay.probes.vault_write import VaultWriter


if TYPE_CHECKING:
    from assay.profile import Profile

SECTION, SERVICE, SPACE = "Restore Vault", "vault", "vault-restored"
BINDING = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/vault-restored-token-review"
TOOLS = ("talosctl", "kubectl", "rclone", "openssl")
JOB = ("backups", "vault-snapshot")
KEEPERS = 3
FOLDER = "assay-drill-"
ROWS, MORE = 20, 8
FETCHED, INSTALLED, READY, SHOWN, GONE = 300.0, 180.0, 60.0, 60.0, 120.0


@dataclass(frozen=True, slots=True)
class Written:
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
    state: State


class VaultRestore:
    """The drill on the stack of one profile."""

    def __init__(self, profile: Profile, runbook: Path) -> None:
        """Carry out the section of `runbook`.

        Raises:
            GuardError: the stack is no lab, or it is not said which cluster it is.
            ProbeError: the profile lacks what the drill needs.
        """
        guard_kind(profile)
        self._profile, self._kube = profile, Kube.from_profile(profile)
        self._old, self._writer = Vault.from_profile(profile), VaultWriter.from_profile(profile)
        self._token = profile.need_path("vault.token").read_text(encoding="utf-8").strip()
        self._kit = Kit(profile, runbook, SERVICE, TOOLS)
        self.runbook = Runbook(runbook, **self._kit.binaries)
        self._budgets, self._apart = Budgets.from_profile(profile), ThreadPoolExecutor(1)
        self._folder = profile.file.parent / "drill"
        self._images = released(profile.need_path("paths.overlay"), SERVICE, "vault_snapshots")
        self._key = secrets.token_bytes(32)

    def once(self) -> Result:
        """Return the result of the drill; one run serves every control of a session.

        Raises:
            GuardError: a guard refused, or the scratch namespace does not go away.
            ProbeError: something could not be read, or there was no room for the restore.
        """
        return once(SERVICE, self._profile.file, self.runbook.path, self._drilled)

    def _drilled(self) -> Result:
        wrong = [Offender(one.named, one.why) for one in self.runbook.mistakes(SECTION)]
        return Result(None, tuple(wrong)) if wrong else self._run()

    def _run(self) -> Result:
        with interruptible():
            self._kube.check_cluster()
            with self._scratch():
                result = self._restored(self._ledger())
        if result.restore is not None:
            Records.from_profile(self._profile).add(result.restore)
        return result

    # before the fault -----------------------------------------------------------------------------

    def _ledger(self) -> Written:
        """Write entries before, during and after a snapshot; the end of it is the fault."""
        run, state = secrets.token_hex(4), self._state(self._old)
        with ExitStack() as stack:
            door = stack.enter_context(self._writer.root())
            ledger = Ledger(self._folder / f"ledger-{run}.jsonl", [self._write(door, run)] * 2)
            stack.callback(ledger.stop)
            ledger.start()
            self._await_rows(ledger, ROWS)
            point = backed_up(self._kube, *JOB, run)
            self._await_rows(ledger, MORE)
            ops = ledger.stop()
        return Written(run, ops, point, now(), state)

    def _write(self, door: Door, run: str) -> Callable[[str], str]:
        def write(key: str) -> str:
            try:
                path = f"{self._old.mount}/data/{FOLDER}{run}/{key}"
                return outcome_of(door.ask("post", path, {"data": {"mark": _mark(run, key)}}).status)
            except ProbeError:
                return INFO

        return write

    def _await_rows(self, ledger: Ledger, count: int) -> None:
        begun = now()
        await_true(lambda: ledger.acked_since(begun) >= count, f"{count} entries confirmed by Vault", 60)

    # the restore ----------------------------------------------------------------------------------

    @contextmanager
    def _scratch(self) -> Iterator[None]:
        """Be sure that neither the scratch namespace nor an entry of a ledger is there, before and after."""
        self._sweep()
        try:
            yield
        finally:
            with uninterrupted():
                self._sweep()

    def _sweep(self) -> None:
        path, wire = f"/api/v1/namespaces/{SPACE}", self._kube.wire
        wire.ask("DELETE", BINDING)
        wire.ask("DELETE", path)
        await_true(lambda: wire.ask("GET", path).status == 404, f"Namespace {SPACE} gone", GONE, every=1.0)
        left = [one for one in self._old.entries() if one.startswith(FOLDER)]
        if left:
            with self._writer.root() as door:
                for one in left:
                    door.need("delete", f"{self._old.mount}/metadata/{one}")

    def _restored(self, written: Written) -> Result:
        watch, wrong, restore = Stopwatch(self._budgets, written.fault), list[Offender](), None
        notes = {
            "old Vault": "left running and not used: its data counts as gone from the fault on",
            "images": "of the registry, possibly in the node's cache already",
        }
        try:
            with self._kit.sealed(self._folder) as envelope:
                pin(envelope.git / f"gitops/overlays/{self._profile.name}/restore-{SERVICE}", self._images)
                shares = tuple(f"../escrow/vault-share-{n}" for n in range(1, KEEPERS + 1))
                procedure = self._kit.procedure(envelope, self._waits(), {"SHARE": shares}, limit=FETCHED)
                steps = Steps(self.runbook.section(SECTION))
                ends = {"fetch": "fetch", "get": "restore", "check": "answer"}
                size = 0
                for command in steps.until("check"):
                    printed = procedure.run(command)
                    if "lsf" in command.words:
                        procedure.values["SNAPSHOT"] = evidence.newest_before(printed, watch.t0, command)
                    size = size or evidence.fetched(printed)
                    if part := next((part for word, part in ends.items() if word in command.words), ""):
                        watch.lap(part)
                authority = envelope.work / "tls.crt"
                after, present = self._apart.submit(self._looked, authority, written.run).result()
                bad, lost, newest = evidence.rows(written.ops, present, written.point, written.fault)
                wrong = [*evidence.compare(written.state, after), *bad]
                watch.lap("verify")
                for command in steps.rest():
                    procedure.run(command)
            notes["snapshot"] = str(procedure.values["SNAPSHOT"])
            notes["compared"] = f"{len(after.parts)} parts of Vault, {len(after.entries)} entries, by digest"
            restore = watch.finish(
                SERVICE, size, written.fault - newest, lost, not wrong, "L3", notes
            )  # fmt: skip
        except StepError as failed:
            wrong.append(self._offender(failed))
        acked = sum(op.outcome == OK for op in written.ops)
        return Result(restore if not wrong else None, tuple(wrong), acked, notes)

    def _waits(self) -> dict[str, Wait]:
        return {
            " logs --follow ": Wait(lambda log: evidence.fetched(log) > 0, FETCHED, evidence.broken),
            " logs vault --container keeper": Wait(evidence.installed, INSTALLED, evidence.broken),
            " get pod ": Wait(ready, READY, ended),
        }

    def _offender(self, failed: StepError) -> Offender:
        if full(failed.why):
            raise ProbeError(f"no room for the restore: {failed.why}", "make room on the node, restore again")
        if failed.named in [one.named for one in self.runbook.section(SECTION) if "unseal" in one.words]:
            return Offender(NAMED, f"the shares of the escrow kit do not open it: {failed.why}")
        return Offender(NAMED if isinstance(failed, HopelessError) else failed.named, failed.why)

    # looking into both past the runbook, with the suite's own token ----------------------------------

    def _looked(self, authority: Path, run: str) -> tuple[State, dict[str, bool]]:
        """Return what the restored Vault is made of, and the ledger's keys with whether each is right."""
        profile = self._profile
        kubectl, config = profile.need_path("tools.kubectl"), profile.need_path("kube.kubeconfig")
        with forwarded(kubectl, config, SPACE, "pod/vault", 8200) as port:
            new = Vault((f"https://127.0.0.1:{port}",), authority, self._token, self._old.mount)
            return self._state(new), self._rows(new, run)

    def _rows(self, vault: Vault, run: str) -> dict[str, bool]:
        folder, found = f"{FOLDER}{run}/", {}
        for path in vault.entries(folder):
            key = path.removeprefix(folder)
            right = hmac.digest(self._key, _mark(run, key).encode(), "sha256").hex()
            found[key] = vault.entry(path, self._key).digests == {"mark": right}
        return found

    def _state(self, vault: Vault) -> State:
        """Return what a Vault is made of; a value is a digest under the drill's own key."""
        parts = {f"Mount {path}": kind for path, kind in vault.mounts().items()}
        parts |= {f"Auth {path}": kind for path, kind in vault.auth_methods().items()}
        parts |= {f"Audit {one.path}": repr(one) for one in vault.audit_devices()}
        parts |= {f"Policy {one.name}": repr(one) for one in vault.policies()}
        parts |= {f"Role {one.name}": repr(one) for one in vault.roles()}
        paths = [path for path in vault.entries() if not path.startswith(FOLDER)]
        return State(parts, {path: repr(vault.entry(path, self._key)) for path in paths})


def _mark(run: str, key: str) -> str:
    return f"ledger-{run}-{key}"
