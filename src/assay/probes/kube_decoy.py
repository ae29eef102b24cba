"""A namespace made for one judgement: objects in it are really made, so controllers act on them, but nothing in it can run."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from assay.model import Attempt
from assay.probes.kube_facts import part, rows
from assay.probes.kube_paths import collection
from assay.probes.kube_shapes import bare_namespace, pod_spec, workload
from assay.probes.kube_wire import Wire
from assay.probes.kube_write import KubeWriter, wait


DECOY = "assay.dev/decoy"
STALE = datetime.timedelta(minutes=10)
GONE = 90.0


@dataclass(frozen=True, slots=True)
class Decoy:
    """An open decoy namespace."""

    writer: KubeWriter
    namespace: str

    def controller_made(self, variant: str, image: str) -> Attempt:
        """Return whether a pod that a controller makes, from an object admission does not look into, got through.

        A ReplicationController is really created; its controller then asks for the pod in its own name. Nothing runs.
        """
        kind, name = "ReplicationController", f"assay-{variant}"
        self.writer.apply(workload(kind, self.namespace, pod_spec("container", image, image), name))
        told = wait(f"{kind} {name}: a pod or a refusal", lambda: self._outcome(kind, name))
        return Attempt(f"{kind} pod {variant}", told == "made", "" if told == "made" else told)

    def _outcome(self, kind: str, name: str) -> str:
        status = part(self.writer.get(kind, self.namespace, name) or {}, "status")
        failures = [
            c
            for c in rows(status, "conditions")
            if c.get("type") == "ReplicaFailure" and c.get("status") == "True"
        ]
        return (
            str(failures[0].get("message") or "no reason given")
            if failures
            else "made" * bool(status.get("replicas"))
        )


@contextmanager
def opened(wire: Wire, labels: Mapping[str, str]) -> Iterator[Decoy]:
    """Yield a fresh decoy namespace with `labels`, and delete it, waiting until it is gone, on every exit."""
    run = secrets.token_hex(4)
    writer = KubeWriter(wire, run, DECOY)
    _sweep(wire, writer)
    name = f"assay-decoy-{run}"
    try:
        writer.apply(bare_namespace(name, labels))
        wait(f"service account of {name}", lambda: writer.get("ServiceAccount", name, "default"))
        yield Decoy(writer, name)
    finally:
        writer.delete("Namespace", "", name, patience=GONE)


def _sweep(wire: Wire, writer: KubeWriter) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for item in wire.items(collection("Namespace"), labelSelector=DECOY):
        made = datetime.datetime.fromisoformat(str(item["metadata"]["creationTimestamp"]))
        if now - made > STALE and str(item["metadata"]["name"]).startswith("assay-decoy-"):
            writer.delete("Namespace", "", str(item["metadata"]["name"]), patience=GONE)
