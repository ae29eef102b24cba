"""What is backed up, as the document on backups, the CronJobs and the sources say together.

The document names the services, how much each may lose and the key that opens its backups. A CronJob that
carries such a name says in which annotation a platform writes it, and by its settings how backups are made
and to which bucket of the Terraform sources they go.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.backups.retention import SETTINGS, RetentionRule, documented, setting
from assay.formats.yaml_text import text_of
from assay.preflight.checkout import checkout_files
from assay.preflight.profile_text import Finding, Findings
from assay.preflight.sources import terraform
from assay.probes.kube.client import Kube
from assay.probes.terraform.buckets import declared_buckets


# How backups are made, by words of the program that makes them.
PROGRAMS = {
    "etcd-snapshot": re.compile(r"etcd snapshot"),
    "vault-snapshot": re.compile(r"raft[ /]snapshot"),
    "pgbackrest": re.compile(r"pgbackrest"),
    "barman": re.compile(r"\bbarman\b"),
}
ENDPOINT = re.compile(r"endpoint\W{1,3}(https?://[^\s\"',]+)", re.IGNORECASE)
REGION = re.compile(r"region\W{1,3}([a-z0-9-]+)", re.IGNORECASE)
MAX_SETTINGS = 100_000  # bytes of a file that tells a tool how long to keep backups
Row = dict[str, Finding]


@dataclass(frozen=True, slots=True)
class BackupJob:
    """A CronJob: where it is, what its annotations say, and every text that its pod is given."""

    ref: str
    namespace: str
    annotations: Mapping[str, str]
    text: str

    @property
    def program(self) -> str:
        """Return how it makes backups, as the profile calls it; empty where that is not known."""
        return next((kind for kind, words in PROGRAMS.items() if words.search(self.text)), "")


def backups(kube: Kube, found: Findings) -> None:
    """Note the stateful services with all that is known of their backups, the object store and its buckets.

    Raises:
        ProbeError: the document or the Terraform sources cannot be read, or CronJobs or ConfigMaps cannot.
    """
    if (document := found.keys.get("paths.backups_doc")) is None:
        return
    rules, jobs = documented(Path(str(document.value))), list(_jobs(kube))
    key = _annotation(jobs, {rule.service for rule in rules})
    found.put("platform.annotations.backup_of", key, "annotation of CronJobs with a name of the document")
    by_service = _by_service(jobs, key, rules)
    spaces = [row for row in found.tables.get("platform.services", ()) if "owns" in row]
    files = _settings_files(found)
    rows = [_row(rule, by_service.get(rule.service), files) for rule in rules]
    for name, section in _sections(Path(str(document.value))):
        for row in (one for one in rows if one["name"].value == name):
            row["section"] = Finding(section, "the document on backups")
    _own(rows, by_service, spaces)
    owned = [row["owns"].value for row in rows if "owns" in row]
    found.tables["platform.services"] = [*rows, *(one for one in spaces if one["owns"].value not in owned)]
    _store(found, by_service)


def _jobs(kube: Kube) -> Iterator[BackupJob]:
    maps: dict[str, list[Mapping[str, Any]]] = {}
    for item in kube.objects("CronJob", version="batch/v1"):
        meta, template = item["metadata"], json.dumps(item["spec"]["jobTemplate"]["spec"]["template"])
        space = str(meta["namespace"])
        if space not in maps:
            maps[space] = kube.objects("ConfigMap", space, "v1")
        given = [one for one in maps[space] if json.dumps(one["metadata"]["name"]) in template]
        texts = [template, *(f"{k}={v}" for one in given for k, v in (one.get("data") or {}).items())]
        yield BackupJob(
            f"CronJob {space}/{meta['name']}", space, meta.get("annotations") or {}, "\n".join(texts)
        )


def _annotation(jobs: Iterable[BackupJob], names: set[str]) -> str:
    """Return the annotation of most CronJobs whose value is the name of a service; empty where none is."""
    keys = Counter(key for job in jobs for key, value in job.annotations.items() if value in names)
    return keys.most_common(1)[0][0] if keys else ""


def _sections(document: Path) -> Iterator[tuple[str, str]]:
    """Yield service and section of the runbook, of the table of the document that has both columns."""
    head: list[str] = []
    for line in text_of(document, document.name).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        head = head if cells and head else [cell.lower() for cell in cells]
        column = next((number for number, name in enumerate(head) if name.startswith("section")), 0)
        if column and "service" in head and len(cells) == len(head) and not set(line) <= set("|-: "):
            yield cells[head.index("service")], cells[column]


def _by_service(jobs: Iterable[BackupJob], key: str, rules: Iterable[RetentionRule]) -> dict[str, BackupJob]:
    """Return service -> its CronJob: by annotation, else the one whose program ends what is kept of it."""
    found = {job.annotations[key]: job for job in jobs if key in job.annotations}
    others = [job for job in jobs if key not in job.annotations and job.program]
    left = [rule for rule in rules if rule.service not in found]
    for rule in left:
        fits = [job for job in others if job.program == rule.ended.lower()]
        fits = fits or (others if len(left) == 1 else [])
        if len(fits) == 1:
            found[rule.service] = fits[0]
    return found


def _settings_files(found: Findings) -> list[Path]:
    """Return the files of the checkout that may tell a tool how long to keep backups."""
    roots = found.keys.get("paths.repositories")
    files = checkout_files(Path(str(roots.value))) if roots else ()
    return [one for one in files if one.suffix in (".conf", ".yaml", ".yml", ".ini")]


def _row(rule: RetentionRule, job: BackupJob | None, files: Iterable[Path]) -> Row:
    """Return what is known of one service."""
    document = "the document on backups"
    row = {"name": Finding(rule.service, document), "rpo_s": Finding(rule.lost, document)}
    if rule.key:
        row["key"] = Finding(rule.key, document)
    if job is not None and job.program:
        row["backup"] = Finding(job.program, f"the program of {job.ref}")
        row |= dict(_kept(job.program, files))
    return row


def _kept(program: str, files: Iterable[Path]) -> Iterator[tuple[str, Finding]]:
    """Yield the file that tells a tool how long to keep backups, and where in the bucket it puts them."""
    name = SETTINGS.get(program)
    for file in files if name else ():
        if file.stat().st_size < MAX_SETTINGS and setting(file, str(name))[1]:
            yield "settings", Finding(str(file), f"sets {name}")
            if prefix := setting(file, "repo1-path")[0].strip("/"):
                yield "prefix", Finding(f"{prefix}/", f"repo1-path in {file.name}")
            return


def _own(rows: Iterable[Row], jobs: Mapping[str, BackupJob], spaces: Iterable[Row]) -> None:
    """Give each service its job's namespace where state lies in it; what is left goes to the one left."""
    free = {str(row["name"].value): row["owns"] for row in spaces}
    left = []
    for row in rows:
        job = jobs.get(str(row["name"].value))
        if job is not None and job.namespace in free:
            row["owns"] = free.pop(job.namespace)
        elif row.get("backup", Finding("", "")).value != "etcd-snapshot":
            left.append(row)
    if len(left) == len(free) == 1:
        ((space, owns),) = free.items()
        left[0]["owns"] = Finding(owns.value, f"{space} is the only namespace with state left", proposed=True)


def _store(found: Findings, jobs: Mapping[str, BackupJob]) -> None:
    """Note endpoint, region and buckets of the object store, as the jobs' settings and Terraform say."""
    for key, pattern in (("s3.endpoint", ENDPOINT), ("s3.region", REGION)):
        for job in jobs.values():
            if known := pattern.search(job.text):
                found.put(key, known[1], f"settings of {job.ref}")
    if (sources := terraform(found)) is None:
        return
    names = {one.bucket for one in declared_buckets(sources.resources()) if one.bucket}
    used = {
        service: [name for name in sorted(names) if _says(job.text, name)] for service, job in jobs.items()
    }
    buckets = {service: seen[0] for service, seen in used.items() if len(seen) == 1}
    found.put("s3.buckets", buckets, "buckets of Terraform that the CronJobs' settings name")


def _says(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text) is not None
