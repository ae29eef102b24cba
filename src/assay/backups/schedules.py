"""Who takes backups, how often, and with which right: schedules, and Talos' own service accounts for them.

Schedules are CronJobs that say so or that the profile gives to a service, and the objects by which
CloudNativePG, Velero and Longhorn take backups themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.config.platform import Platform
from assay.formats.cron import longest_gap
from assay.formats.parsing import parsing
from assay.formats.yaml_text import Document
from assay.probes.gitops.manifests import Manifests
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import served


TALOS_GROUP, TALOS = "talos.dev", "talos.dev/v1alpha1"
ROLE = "os:etcd:backup"
# API group and kind -> where the schedule stands, and whether it is suspended.
KINDS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("batch", "CronJob"): ("schedule", "suspend"),
    ("postgresql.cnpg.io", "ScheduledBackup"): ("schedule", "suspend"),
    ("velero.io", "Schedule"): ("schedule", "paused"),
    ("longhorn.io", "RecurringJob"): ("cron", ""),
}
SECONDS_TOO = {"ScheduledBackup"}  # six fields, the first of them seconds


@dataclass(frozen=True, slots=True)
class Schedule:
    """What takes backups of a service on schedule; `service` is empty where it belongs to none.

    `deadline` is how long one run may take at most, in seconds; None where nothing limits it. `secrets` are
    those that its pod mounts.
    """

    ref: str
    kind: str
    service: str
    cron: str
    suspended: bool
    deadline: float | None = None
    secrets: tuple[str, ...] = ()

    @property
    def endless(self) -> bool:
        """Return whether nothing limits one run; of what a controller takes itself nothing can."""
        return self.kind == "CronJob" and self.deadline is None

    @property
    def interval(self) -> float:
        """Return the longest time from one run to the next, in seconds.

        Raises:
            ProbeError: its schedule is none.
        """
        fields = self.cron.split()
        return longest_gap(
            " ".join(fields[1:]) if self.kind in SECONDS_TOO and len(fields) > 5 else self.cron
        )


@dataclass(frozen=True, slots=True)
class TalosAccount:
    """A service account of the Talos API for pods: the Secret of the same name carries these roles."""

    ref: str
    name: str
    roles: tuple[str, ...]

    def fault(self, jobs: Iterable[Schedule], further: Iterable[str]) -> str:
        """Return why its roles are too wide, empty if they are not.

        Args:
            jobs: one that takes snapshots needs exactly the role for them.
            further: the roles that the profile lets other pods have.
        """
        shown = ", ".join(self.roles) or "none"
        if any(self.name in job.secrets for job in jobs):
            return "" if self.roles == (ROLE,) else f"its roles are {shown}, not {ROLE}"
        more = sorted(set(self.roles) - {ROLE, *further})
        return f"its roles are {shown}; {', '.join(more)} is not among pod_roles" if more else ""


@parsing("the cluster's CronJobs")
def live_schedules(items: Iterable[Mapping[str, Any]], platform: Platform) -> list[Schedule]:
    """Return the backup jobs among CronJobs as the API writes them."""
    return [one for item in items if (one := _live(item, platform)).service]


@parsing("the cluster's accounts of Talos")
def live_accounts(kube: Kube) -> list[TalosAccount]:
    """Return Talos' service accounts; none where the cluster does not know the kind.

    Raises:
        ProbeError: they cannot be listed.
    """
    path = served(kube.wire, TALOS_GROUP).get("serviceaccounts")
    return [
        TalosAccount(
            f"ServiceAccount {item['metadata']['namespace']}/{item['metadata']['name']}",
            item["metadata"]["name"],
            tuple(item.get("spec", {}).get("roles", [])),
        )
        for item in (kube.wire.items(path) if path else ())
    ]


def _live(item: Mapping[str, Any], platform: Platform) -> Schedule:
    meta, spec = item["metadata"], item["spec"]
    job = spec["jobTemplate"]["spec"]
    volumes = job["template"]["spec"].get("volumes", [])
    limit = job.get("activeDeadlineSeconds")
    said = meta.get("annotations", {}).get(platform.annotations.backup_of, "")
    ref = f"CronJob {meta['namespace']}/{meta['name']}"
    return Schedule(
        ref,
        "CronJob",
        said or _owner(ref, platform),
        spec["schedule"],
        bool(spec.get("suspend")),
        None if limit is None else float(limit),
        tuple(v["secret"]["secretName"] for v in volumes if "secret" in v),
    )


@parsing("a schedule of the manifests", "fix the manifest")
def declared_schedules(manifests: Manifests, platform: Platform) -> list[Schedule]:
    """Return what takes backups by the manifests, by file and line: a CronJob only if it is of a service.

    Raises:
        ProbeError: a file cannot be read.
    """
    found = [_declared(ref, kind, document, platform) for ref, kind, document in _schedules(manifests)]
    return [one for one in found if one.service or one.kind != "CronJob"]


def declared_accounts(manifests: Manifests) -> list[TalosAccount]:
    """Return Talos' service accounts in the manifests, by file and line.

    Raises:
        ProbeError: a file cannot be read.
    """
    return [
        TalosAccount(
            ref, document.get("metadata", "name"), tuple(r.text for r in document.under("spec", "roles"))
        )
        for ref, document in _documents(manifests)
        if (document.get("apiVersion"), document.get("kind")) == (TALOS, "ServiceAccount")
    ]


def _schedules(manifests: Manifests) -> Iterator[tuple[str, str, Document]]:
    for ref, document in _documents(manifests):
        group, kind = document.get("apiVersion").partition("/")[0], document.get("kind")
        if (group, kind) in KINDS:
            yield ref, kind, document


def _documents(manifests: Manifests) -> Iterator[tuple[str, Document]]:
    for file, documents in manifests.files.items():
        for document in documents:
            yield manifests.ref(file, document.line), document


def _declared(ref: str, kind: str, document: Document, platform: Platform) -> Schedule:
    job = ("spec", "jobTemplate", "spec")
    mounted = document.under(*job, "template", "spec", "volumes")
    limit = document.get(*job, "activeDeadlineSeconds")
    schedule, suspended = next(keys for (_, known), keys in KINDS.items() if known == kind)
    space, name = document.get("metadata", "namespace"), document.get("metadata", "name")
    return Schedule(
        ref,
        kind,
        document.get("metadata", "annotations", platform.annotations.backup_of)
        or _owner(f"{kind} {space}/{name}", platform),
        document.get("spec", schedule),
        bool(suspended) and document.get("spec", suspended).lower() == "true",
        float(limit) if limit else None,
        tuple(leaf.text for leaf in mounted if leaf.path[-1] == "secretName"),
    )


def _owner(ref: str, platform: Platform) -> str:
    found = platform.owner(ref)
    return found.name if found else ""
