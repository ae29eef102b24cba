"""A namespace made for one judgement: controllers act on what is made in it, but nothing in it can run."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from assay.effect import Effect
from assay.model import Attempt
from assay.probes.kube.changes import STANDING, standing_objects
from assay.probes.kube.fields import mapping_at, mappings_at
from assay.probes.kube.paths import collection
from assay.probes.kube.requesters import Requester
from assay.probes.kube.shapes import bare_namespace, pod_spec, workload_manifest
from assay.probes.kube.wire import Wire
from assay.writers.kube import KubeWriter, wait


DECOY = "assay.dev/decoy"
RESTRICTED = "pod-security.kubernetes.io/enforce"
STALE = datetime.timedelta(minutes=10)
GONE = 90.0


@dataclass(frozen=True, slots=True)
class Decoy:
    """An open decoy namespace."""

    writer: KubeWriter
    namespace: str

    def controller_made(self, variant: str, image: str) -> Attempt:
        """Return whether a pod that a controller makes got through.

        Its maker is of a kind admission does not look into.

        A ReplicationController is really created; its controller asks for the pod in its own name, and
        nothing runs.
        """
        kind, name = "ReplicationController", f"assay-{variant}"
        self.writer.apply(workload_manifest(kind, self.namespace, pod_spec("container", image, image), name))
        outcome = wait(f"{kind} {name}: a pod or a refusal", lambda: self._outcome(kind, name))
        return Attempt(controller_pod(variant), outcome == "made", "" if outcome == "made" else outcome)

    def stand(self, image: str, labels: Mapping[str, str] | None = None, name: str = STANDING) -> None:
        """Make an object of every kind whose image can then be changed; they run nothing.

        Raises:
            ProbeError: admission refuses a signed image.
        """
        for manifest in standing_objects(self.namespace, image, labels or {}, name):
            self.writer.apply(manifest)

    def appoint(self, account: str, *users: str) -> list[Requester]:
        """Return a service account made here, and `users`, who get the rights of role `edit` here.

        Raises:
            ProbeError: the suite may not give these rights.
        """
        version = "rbac.authorization.k8s.io/v1"
        meta = {"name": account, "namespace": self.namespace}
        people = [{"kind": "User", "name": user, "apiGroup": version.partition("/")[0]} for user in users]
        role = {"apiGroup": version.partition("/")[0], "kind": "ClusterRole", "name": "edit"}
        self.writer.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta,
                           "automountServiceAccountToken": False})  # fmt: skip
        self.writer.apply({"apiVersion": version, "kind": "RoleBinding", "metadata": meta, "roleRef": role,
                           "subjects": [{"kind": "ServiceAccount", **meta}, *people]})  # fmt: skip
        return [
            Requester("ServiceAccount", f"{self.namespace}/{account}", self.namespace),
            *(Requester("User", user, self.namespace) for user in users),
        ]

    def _outcome(self, kind: str, name: str) -> str:
        status = mapping_at(self.writer.get("v1", kind, self.namespace, name) or {}, "status")
        failed = [
            c
            for c in mappings_at(status, "conditions")
            if (c.get("type"), c.get("status")) == ("ReplicaFailure", "True")
        ]
        return (
            str(failed[0].get("message") or "no reason given")
            if failed
            else "made" * bool(status.get("replicas"))
        )


def controller_pod(variant: str) -> str:
    """Return what the suite calls the pod that a controller makes with the image `variant`."""
    return f"Pod of ReplicationController, {variant}"


@contextmanager
def decoy_namespace(wire: Wire, labels: Mapping[str, str]) -> Iterator[Decoy]:
    """Yield a fresh decoy namespace with `labels`, and delete it, waiting until it is gone, on every exit."""
    writer, name = KubeWriter(wire, Effect.DECOY), f"assay-decoy-{secrets.token_hex(4)}"
    _sweep(writer)
    try:
        writer.apply(bare_namespace(name, {**labels, RESTRICTED: "restricted", DECOY: "true"}))
        wait(f"service account of {name}", lambda: writer.get("v1", "ServiceAccount", name, "default"))
        yield Decoy(writer, name)
    finally:
        writer.gone("v1", "Namespace", "", name, GONE)


def _sweep(writer: KubeWriter) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for item in writer.wire.items(collection("Namespace"), labelSelector=DECOY):
        meta = item["metadata"]
        made = datetime.datetime.fromisoformat(str(meta["creationTimestamp"]))
        if now - made > STALE and str(meta["name"]).startswith("assay-decoy-"):
            writer.gone("v1", "Namespace", "", str(meta["name"]), GONE)
