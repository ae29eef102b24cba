"""What is wrong with a platform before a drill: what is degraded, and which backup is too old."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from assay.config.platform import Service
from assay.config.profile import Profile
from assay.drills.faults.quorum import Quorum
from assay.drills.workload.namespace import DrillNamespace
from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube
from assay.probes.s3.client import S3


WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def degraded(profile: Profile) -> list[str]:
    """Return what does not run as it should: nodes, API servers, etcd, workloads; nothing where all is well.

    Raises:
        ProbeError: something could not be asked.
    """
    kube = Kube.from_profile(profile)
    return [
        *(f"{node.ref} is not ready" for node in kube.nodes() if not node.ready),
        *([] if DrillNamespace.from_profile(profile).apiservers_ready() else ["an API server is not ready"]),
        *(f"etcd: {wrong}" for wrong in Quorum.from_profile(profile).wrong()),
        *(wrong for kind in WORKLOADS for item in kube.objects(kind) if (wrong := _lacking(kind, item))),
    ]


@parsing("a workload's status")
def _lacking(kind: str, item: Mapping[str, Any]) -> str:
    """Return how many pods of a workload are missing, in words; empty where none is."""
    meta, status = item["metadata"], item.get("status") or {}
    if kind == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    else:
        replicas = item["spec"].get("replicas")
        wanted, ready = 1 if replicas is None else replicas, status.get("readyReplicas", 0)
    return f"{kind} {meta['namespace']}/{meta['name']}: {ready} of {wanted} ready" if ready < wanted else ""


def late_backups(profile: Profile, moment: dt.datetime) -> list[str]:
    """Return the services whose newest backup is older than their objective, or that have none of either.

    Raises:
        ProbeError: a bucket could not be listed.
    """
    s3 = S3.from_profile(profile)
    services = profile.platform.services
    if not services:
        return ["no stateful service is declared"]
    return [wrong for one in services if (wrong := _late(s3, one, moment))]


def _late(s3: S3, service: Service, moment: dt.datetime) -> str:
    bucket = service.bucket or s3.buckets.get(service.name, "")
    if service.rpo_s is None or not bucket:
        return f"Service {service.name}: no objective or no bucket is declared"
    shown = [one.modified for one in s3.versions(bucket, service.prefix) if one.shown]
    if not shown:
        return f"Service {service.name}: there is no backup"
    age = (moment - max(shown)).total_seconds()
    late = age > service.rpo_s
    return f"Service {service.name}: newest backup {age:.0f} s old, not {service.rpo_s:.0f} s" if late else ""
