"""What is wrong with a platform before a drill: what is degraded, and which backup is too old."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from assay.backups.restorable import RestorablePoints
from assay.config.platform import Service
from assay.config.profile import Profile
from assay.drills.faults.quorum import Quorum
from assay.drills.workload.namespace import DrillNamespace
from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube
from assay.probes.postgres import Postgres


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
    """Return the services whose newest backup does not open, or is older than their objective.

    What counts is the newest point that opened, not the newest object: a drill may need it.

    Raises:
        ProbeError: a backup cannot be read, or the profile does not say what opens it.
    """
    services = profile.platform.services
    if not services:
        return ["no stateful service is declared"]
    points = RestorablePoints.from_profile(profile)
    return [wrong for one in services if (wrong := _late(profile, points, one, moment))]


def _late(profile: Profile, points: RestorablePoints, service: Service, moment: dt.datetime) -> str:
    ref = f"Service {service.name}"
    if service.rpo_s is None:
        return f"{ref}: no objective is declared"
    point = points.newest(service)
    if point.faults:
        return f"{ref}: its newest backup cannot be restored: {point.faults[0]}"
    age = point.age_s(moment, lambda known: Postgres.from_profile(profile).unarchived(known))
    if age is None:
        return f"{ref}: there is no backup"
    late = age > service.rpo_s
    return f"{ref}: newest backup that opens {age:.0f} s old, not {service.rpo_s:.0f} s" if late else ""
