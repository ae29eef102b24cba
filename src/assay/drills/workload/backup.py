"""A backup taken now, by the very job that the schedule runs."""

from __future__ import annotations

from assay.backups.schedules import live_schedules
from assay.config.platform import Platform, Service
from assay.drills.engine.clock import await_true, now
from assay.errors import AssumptionError
from assay.probes.kube.client import Kube


UPLOAD_TIMEOUT_S = 180.0


def backed_up(kube: Kube, platform: Platform, service: Service, run: str) -> float:
    """Run the service's backup job once, wait until it is done, and return when it was begun (drill's clock).

    Raises:
        AssumptionError: no job of the cluster backs it up, or it failed: without a backup nothing is broken.
        GuardError: it is not done in the time that it has by itself, or else in three minutes.
        ProbeError: the API does not answer.
    """
    found = live_schedules(kube.objects("CronJob", version="batch/v1"), platform)
    usable = [one for one in found if one.service == service.name and not one.suspended]
    if not usable:
        raise AssumptionError(
            f"no CronJob in the cluster backs up {service.name}",
            f"annotate it with {platform.annotations.backup_of}: {service.name}",
        )
    space, _, schedule = usable[0].ref.removeprefix("CronJob ").partition("/")
    begun = now()
    job = _started(kube, space, schedule, run)

    def done() -> bool:
        status = kube.wire.get(job).get("status", {})
        if any(c["type"] == "Failed" and c["status"] == "True" for c in status.get("conditions", [])):
            raise AssumptionError(
                f"a job of {usable[0].ref} failed", "fix the backup; nothing was broken yet"
            )
        return bool(status.get("succeeded"))

    await_true(done, f"a job of {usable[0].ref} done", usable[0].deadline or UPLOAD_TIMEOUT_S)
    return begun


def _started(kube: Kube, space: str, schedule: str, run: str) -> str:
    """Start a job as the CronJob would, and return its path."""
    jobs = f"/apis/batch/v1/namespaces/{space}/jobs"
    found = kube.wire.get(f"/apis/batch/v1/namespaces/{space}/cronjobs/{schedule}")
    name = f"{schedule}-drill-{run}"
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": space},
        "spec": found["spec"]["jobTemplate"]["spec"],
    }
    kube.wire.need(kube.wire.ask("POST", jobs, job), "POST", jobs)
    return f"{jobs}/{name}"
