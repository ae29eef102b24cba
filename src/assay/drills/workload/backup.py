"""A backup taken now, by the very job that the schedule runs."""

from __future__ import annotations

from assay.drills.engine.clock import await_true, now
from assay.errors import AssumptionError
from assay.probes.kube.client import Kube


UPLOAD_TIMEOUT_S = 180.0


def backed_up(kube: Kube, space: str, schedule: str, run: str) -> float:
    """Run the CronJob once, wait until it has uploaded, and return when it was begun (the drill's clock).

    Raises:
        AssumptionError: the job failed: without a backup nothing is broken.
        GuardError: it is not done within three minutes.
        ProbeError: the schedule is not there, or the API does not answer.
    """
    jobs, begun = f"/apis/batch/v1/namespaces/{space}/jobs", now()
    found = kube.wire.get(f"/apis/batch/v1/namespaces/{space}/cronjobs/{schedule}")
    name = f"{schedule}-drill-{run}"
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": space},
        "spec": found["spec"]["jobTemplate"]["spec"],
    }
    kube.wire.need(kube.wire.ask("POST", jobs, job), "POST", jobs)

    def done() -> bool:
        status = kube.wire.get(f"{jobs}/{name}").get("status", {})
        if any(c["type"] == "Failed" and c["status"] == "True" for c in status.get("conditions", [])):
            raise AssumptionError(f"Job {space}/{name} failed", "fix the backup; nothing was broken yet")
        return bool(status.get("succeeded"))

    await_true(done, f"Job {space}/{name} done", UPLOAD_TIMEOUT_S)
    return begun
