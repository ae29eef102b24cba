"""Who takes backups, how often, and with which right: CronJobs, and Talos' own service accounts for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.formats.cron import longest_gap
from assay.formats.parsing import parsing
from assay.formats.yaml_text import Document
from assay.probes.gitops.manifests import Manifests


TALOS = "talos.dev/v1alpha1"
ROLE = "os:etcd:backup"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A CronJob that says which service it backs up.

    `deadline` is how long one run may take at most, in seconds; None where nothing limits it. `secrets` are
    those that its pod mounts.
    """

    ref: str
    service: str
    cron: str
    suspended: bool
    deadline: float | None
    secrets: tuple[str, ...] = ()

    @property
    def interval(self) -> float:
        """Return the longest time from one run to the next, in seconds.

        Raises:
            ProbeError: its schedule is none.
        """
        return longest_gap(self.cron)


@dataclass(frozen=True, slots=True)
class TalosAccount:
    """A service account of the Talos API for pods: the Secret of the same name carries these roles."""

    ref: str
    name: str
    roles: tuple[str, ...]

    @property
    def fault(self) -> str:
        """Return why its roles are not exactly the one for snapshots, empty if they are."""
        return "" if self.roles == (ROLE,) else f"its roles are {', '.join(self.roles) or 'none'}, not {ROLE}"


@parsing("the cluster's CronJobs")
def live_schedules(items: Iterable[Mapping[str, Any]], backup_of: str) -> list[Schedule]:
    """Return the backup jobs among CronJobs: those whose annotation `backup_of` names a service."""
    named = ((item, item["metadata"].get("annotations", {}).get(backup_of)) for item in items)
    return [_live(item, service) for item, service in named if service]


@parsing("the cluster's accounts of Talos")
def live_accounts(items: Iterable[Mapping[str, Any]]) -> list[TalosAccount]:
    """Return Talos' service accounts as the API writes them."""
    return [
        TalosAccount(
            f"ServiceAccount {item['metadata']['namespace']}/{item['metadata']['name']}",
            item["metadata"]["name"],
            tuple(item.get("spec", {}).get("roles", [])),
        )
        for item in items
    ]


def _live(item: Mapping[str, Any], service: str) -> Schedule:
    meta, spec = item["metadata"], item["spec"]
    job = spec["jobTemplate"]["spec"]
    volumes = job["template"]["spec"].get("volumes", [])
    limit = job.get("activeDeadlineSeconds")
    return Schedule(
        f"CronJob {meta['namespace']}/{meta['name']}",
        service,
        spec["schedule"],
        bool(spec.get("suspend")),
        None if limit is None else float(limit),
        tuple(v["secret"]["secretName"] for v in volumes if "secret" in v),
    )


@parsing("a CronJob of the manifests", "mend the manifest")
def declared_schedules(manifests: Manifests, backup_of: str) -> list[Schedule]:
    """Return the backup jobs in the manifests, by file and line: those whose annotation names a service.

    Raises:
        ProbeError: a file cannot be read.
    """
    return [
        _declared(ref, document, service)
        for ref, document in _of_kind(manifests, "batch/v1", "CronJob")
        if (service := document.get("metadata", "annotations", backup_of))
    ]


def declared_accounts(manifests: Manifests) -> list[TalosAccount]:
    """Return Talos' service accounts in the manifests, by file and line.

    Raises:
        ProbeError: a file cannot be read.
    """
    return [
        TalosAccount(
            ref, document.get("metadata", "name"), tuple(r.text for r in document.under("spec", "roles"))
        )
        for ref, document in _of_kind(manifests, TALOS, "ServiceAccount")
    ]


def _of_kind(manifests: Manifests, version: str, kind: str) -> list[tuple[str, Document]]:
    return [
        (manifests.ref(file, document.line), document)
        for file, documents in manifests.files.items()
        for document in documents
        if document.get("apiVersion") == version and document.get("kind") == kind
    ]


def _declared(ref: str, document: Document, service: str) -> Schedule:
    job = ("spec", "jobTemplate", "spec")
    mounted = document.under(*job, "template", "spec", "volumes")
    limit = document.get(*job, "activeDeadlineSeconds")
    return Schedule(
        ref,
        service,
        document.get("spec", "schedule"),
        document.get("spec", "suspend").lower() == "true",
        float(limit) if limit else None,
        tuple(leaf.text for leaf in mounted if leaf.path[-1] == "secretName"),
    )
