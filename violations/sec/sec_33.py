"""SEC-33: snapshots that are not taken, not encrypted, not whole, or taken with too wide a right."""

import re
from collections.abc import Callable, Iterator

from assay.model import Named
from assay.probes.kube.shapes import Manifest
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.restore_points import RestorePointWriter


# The real script, but what it uploads is the snapshot itself.
PLAIN = (
    "/bin/busybox sed -e 's/^age .*/\\/bin\\/busybox cp etcd.snapshot etcd.snapshot.age/' "
    "{script} > /work/plain.sh && exec /bin/sh /work/plain.sh"
)


def _written(name: str, what: str, old: str, new: str, mark: str, tree: str = "gitops") -> None:
    """Register a violation that edits the first file that matches; the line with `mark` is named.

    JOB in a pattern stands for the annotation of the job that takes snapshots.
    """

    @violation(name=name, what=what, tier="static")
    def planted(plant: Plant) -> Iterator[Named]:
        etcd = re.escape(plant.profile.platform.etcd.name)
        job = rf"{re.escape(plant.profile.platform.annotations.backup_of)}: {etcd}\b"
        with plant.substituted(tree, old.replace("JOB", job), new, "*.yaml") as path:
            yield plant.located(path, mark)


def _uploaded(what: str, name: str, change: Callable[[bytes], bytes]) -> None:
    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        writer = RestorePointWriter.from_profile(plant.profile)
        with writer.uploaded(change(writer.newest()), name) as ref:
            yield Named(ref)


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@violation(tier="live")
def suspended(plant: Plant) -> Iterator[Named]:
    """The job that takes snapshots is suspended."""
    patch = {"spec": {"suspend": True}}
    job = plant.targets.backup_job(plant.profile.platform.etcd.name)
    with plant.patched(*job.key[1:], patch, api_version=job.api_version) as ref:
        yield ref


@violation(tier="live")
def wide_role(plant: Plant) -> Iterator[Named]:
    """The job's Talos account also has an operator's role."""
    patch = {"spec": {"roles": ["os:etcd:backup", "os:operator"]}}
    account = plant.targets.talos_account(plant.targets.backup_job(plant.profile.platform.etcd.name))
    with plant.patched(*account.key[1:], patch, api_version=account.api_version) as ref:
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
    """The job uploads the snapshot without encrypting it."""
    writer = RestorePointWriter.from_profile(plant.profile)
    target = plant.targets.backup_job(plant.profile.platform.etcd.name)
    template = (plant.kube.get(*target.key) or {})["spec"]["jobTemplate"]["spec"]
    container = template["template"]["spec"]["containers"][0]
    container["command"] = ["/bin/sh", "-c", PLAIN.format(script=container["command"][-1])]
    meta = {"namespace": target.namespace, "name": "planted-plain-snapshot"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template}
    before = writer.shown()
    with writer.hidden_after(), plant.apply(job, ready=_done, within=180):
        (ref,) = writer.shown() - before
        yield Named(ref)


def _done(job: Manifest) -> bool:
    return bool(job.get("status", {}).get("succeeded"))


_written(
    "suspended_in_git",
    "Git: the job that takes snapshots is suspended.",
    r"(JOB(?:.|\n)*?\nspec:\n)",
    r"\1  suspend: true\n",
    "apiVersion: batch/v1",
)
_written(
    "taken_once_a_day",
    "Git: snapshots are taken once a day only.",
    r"(JOB(?:.|\n)*?\n  schedule: ).*$",
    r'\1"7 3 * * *"',
    "apiVersion: batch/v1",
)
_written(
    "an_operators_role_in_git",
    "Git: the job's Talos account has an operator's role.",
    r"(apiVersion: talos\.dev/v1alpha1(?:.|\n)*?)os:etcd:backup",
    r"\1os:operator",
    "apiVersion: talos.dev/v1alpha1",
)
_written(
    "any_role_by_machine_configuration",
    "Git: the machine configuration lets pods ask for os:admin.",
    r"(kubernetesTalosAPIAccess:(?:.|\n)*?)os:etcd:backup",
    r"\1os:admin",
    "enabled: true",
    "talos",
)
_written(
    "any_role_by_its_own_document",
    "Git: the document that Talos 1.14 has for it lets pods ask for os:admin.",
    r"(?s)\A",
    "apiVersion: v1alpha1\nkind: KubeTalosAPIAccessConfig\nallowedRoles:\n  - os:admin\n---\n",
    "apiVersion: v1alpha1",
    "talos",
)
_uploaded(
    "The newest snapshot is only half uploaded.", "truncated", lambda content: content[: len(content) // 2]
)
_uploaded("One bit of the newest snapshot is flipped.", "flipped", _flipped)
