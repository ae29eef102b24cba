"""ACC-07: times that start late or leave parts out, a slow restore, unseal shares of another Vault."""

import dataclasses
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from assay.drills.engine.session_cache import clear
from assay.drills.restore.records import Records
from assay.drills.restore.result import Restore
from assay.errors import GuardError
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.signed_records import signed_record
from assay.proof.state import unmapped_claim
from assay.proof.violation import violation


def _recorded(name: str, what: str, change: Callable[[Restore], Restore]) -> None:
    """Register a violation that adds a changed copy of etcd's newest record; the file comes back."""

    @violation(name=name, what=what)
    def planted(plant: Plant) -> Iterator[Named]:
        records, etcd = Records.from_profile(plant.profile), plant.profile.platform.etcd.name
        if etcd not in records.newest():
            raise GuardError(
                f"there is no record of a restore of {etcd} to change", "run the drill DR-03 first"
            )
        restore = change(records.newest()[etcd].restore)
        with plant.talos_api.replaced(records.path, records.path.read_text(encoding="utf-8")):
            records.add(dataclasses.replace(restore, ended=restore.ended))
            yield Named(restore.ref)


def _late_clock(restore: Restore) -> Restore:
    """Leave out what passed before the restore command: the end does not fit the parts any more."""
    return dataclasses.replace(restore, parts={**restore.parts, "fetch": 0.0, "answer": 0.0})


def _no_budgets(restore: Restore) -> Restore:
    return dataclasses.replace(restore, parts={**restore.parts, "detect": 0.0, "decide": 0.0})


def _slow(restore: Restore) -> Restore:
    parts = {**restore.parts, "restore": restore.parts["restore"] + 1800}
    return dataclasses.replace(restore, parts=parts, t0=restore.t0 - 1800)


@violation()
def shares_of_another(plant: Plant) -> Iterator[Named]:
    """The escrow holds another Vault's unseal shares: the snapshot is restored but cannot be unsealed."""
    records, escrow = Records.from_profile(plant.profile), plant.profile.need_path("escrow.folder")
    vault = plant.targets.backed_up("vault-snapshot")
    others = [one.restore for one in records.all() if one.restore.service != vault.name]
    with ExitStack() as stack:
        if records.path.exists():
            stack.enter_context(plant.talos_api.replaced(records.path, ""))
        for restore in others:
            records.add(restore)
        for number, file in enumerate(sorted(escrow.glob(vault.shares)), 1):
            share = b64encode(bytes([number]) * 33).decode()
            stack.enter_context(plant.talos_api.replaced(file, share))
        stack.callback(clear)
        clear()
        yield Named(f"Restore {vault.name}")


_recorded(
    "late_clock", "The recorded time starts at the restore command instead of at the fault.", _late_clock
)
_recorded("no_budgets", "The recorded time leaves out detection and decision.", _no_budgets)
_recorded("slow", "The restore itself takes half an hour longer.", _slow)


@violation()
def record_of_a_stranger(plant: Plant) -> Iterator[Named]:
    """A record of a restore is signed by a person who is not an allowed signer."""
    with signed_record(plant, plant.profile.platform.etcd.name, listed=False) as file:
        yield Named(f"Record {file.name}")


@violation()
def record_too_slow(plant: Plant) -> Iterator[Named]:
    """The newest record of a restore is signed correctly and says that the restore took an hour."""
    etcd = plant.profile.platform.etcd.name
    with signed_record(plant, etcd, listed=True, took_s=3600.0):
        yield Named(f"Restore {etcd}")


@violation()
def claim_of_no_service(plant: Plant) -> Iterator[Named]:
    """A PersistentVolumeClaim that belongs to no service, so nothing restores it."""
    yield from unmapped_claim(plant)
