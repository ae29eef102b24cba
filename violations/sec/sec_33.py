"""SEC-33: snapshots that are not taken, not encrypted, not whole, or taken with too wide a right."""

from collections.abc import Callable, Iterator

from assay.backups.schedules import TALOS
from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.restore_points import RestorePointWriter


CRONJOB = ("CronJob", "backups", "etcd-snapshot")
FILES = "platform/backups"
# The real script, but what it uploads is the snapshot itself.
PLAIN = (
    "/bin/busybox sed -e 's/^age .*/\\/bin\\/busybox cp etcd.snapshot etcd.snapshot.age/' "
    "/etc/backup/etcd-snapshot.sh > /work/plain.sh && exec /bin/sh /work/plain.sh"
)


def _written(what: str, file: str, old: str, new: str, mark: str, tree: str = "gitops") -> None:
    """Register a violation that edits one file of a copy; the document that starts at `mark` is named."""
    name = what.lower().rstrip(".").replace(" ", "_").replace(",", "").replace("'", "")

    @violation(name=name, what=what, tier="static")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.edited(tree, file, old, new) as path:
            yield plant.located(path, mark)


def _spoiled(what: str, name: str, spoil: Callable[[bytes], bytes]) -> None:
    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        writer = RestorePointWriter.from_profile(plant.profile)
        with writer.uploaded(spoil(writer.newest()), name) as ref:
            yield Named(ref)


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@violation(tier="live")
def suspended(plant: Plant) -> Iterator[Named]:
    """Nobody takes snapshots any more."""
    patch = {"spec": {"suspend": True}}
    with plant.patched(*CRONJOB, patch, api_version="batch/v1") as ref:
        yield ref


@violation(tier="live")
def wide_role(plant: Plant) -> Iterator[Named]:
    """The job's Talos account asks for an operator's role as well."""
    patch = {"spec": {"roles": ["os:etcd:backup", "os:operator"]}}
    with plant.patched("ServiceAccount", "backups", "etcd-snapshot", patch, api_version=TALOS) as ref:
        yield ref


@violation(tier="live")
def wide_machine(plant: Plant) -> Iterator[Named]:
    """One control plane lets pods ask for an operator's role."""
    name = list(plant.profile.talos.controlplanes)[-1]
    access = {"allowedRoles": ["os:etcd:backup", "os:operator"]}
    with plant.talos_api.patched(
        name, {"machine": {"features": {"kubernetesTalosAPIAccess": access}}}
    ) as machine:
        yield Named(machine.ref)


@violation(tier="live")
def plain_upload(plant: Plant) -> Iterator[Named]:
    """A wrong variant of the job uploads the snapshot as it is."""
    writer = RestorePointWriter.from_profile(plant.profile)
    found = plant.kube.get("batch/v1", *CRONJOB)
    template = (found or {})["spec"]["jobTemplate"]["spec"]
    template["template"]["spec"]["containers"][0]["command"] = ["/bin/sh", "-c", PLAIN]
    meta = {"namespace": "backups", "name": "etcd-snapshot-plain"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template}
    before = writer.shown()
    with writer.hidden_after(), plant.apply(job, ready=_done, within=180):
        (ref,) = writer.shown() - before
        yield Named(ref)


def _done(job: Manifest) -> bool:
    return bool(job.get("status", {}).get("succeeded"))


_written(
    "Suspended in Git.",
    f"{FILES}/etcd-snapshot.yaml",
    "  concurrencyPolicy: Forbid",
    "  concurrencyPolicy: Forbid\n  suspend: true",
    "apiVersion: batch/v1",
)
_written(
    "Taken once a day.",
    f"{FILES}/etcd-snapshot.yaml",
    '"7,37 * * * *"',
    '"7 3 * * *"',
    "apiVersion: batch/v1",
)
_written(
    "An operator's role in Git.",
    f"{FILES}/access.yaml",
    "[os:etcd:backup]",
    "[os:operator]",
    "apiVersion: talos.dev",
)
_written(
    "Any role by machine configuration.",
    "patches/controlplane.yaml",
    "[os:etcd:backup]",
    "[os:admin]",
    "      enabled: true",
    "talos",
)
_spoiled("The upload broke off half way.", "truncated", lambda content: content[: len(content) // 2])
_spoiled("One bit of the newest snapshot is another.", "flipped", _flipped)
