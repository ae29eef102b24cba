"""The namespace of a drill.

A namespace of its own, writers through the public address, final reads from each server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from assay.config.platform import Signatures
from assay.config.profile import Profile
from assay.drills.workload.ledger import Write, outcome_of
from assay.drills.workload.verdict import FAIL, INFO
from assay.effect import Effect
from assay.errors import ProbeError
from assay.probes.kube.client import Kube
from assay.probes.kube.registrations import image_gate
from assay.probes.kube.selectors import Labels


LABEL = "assay.dev/drill"
REQUEST_TIMEOUT_S = (2.0, 4.0)
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class DrillNamespace:
    """What a drill does in Kubernetes, with the credential of the profile."""

    def __init__(self, kube: Kube, signatures: Signatures) -> None:
        """Read through `kube`; write through the address that its kubeconfig names, the load balancer's.

        The namespace gets the labels with which the gate for `signatures` looks into it, as all others have.
        """
        self._kube, self._signatures = kube, signatures

    @classmethod
    def from_profile(cls, profile: Profile) -> DrillNamespace:
        """Return the drill's namespace for the stack of `profile`.

        Raises:
            ProbeError: the profile names no kubeconfig.
        """
        return cls(Kube.from_profile(profile, Effect.DISRUPTS), profile.platform.signatures)

    def apiservers_ready(self) -> bool:
        """Return True if every API server, asked by its own address, says it is ready."""
        try:
            return all(self._ready(server) for server in self._kube.apiservers)
        except ProbeError:
            return False

    def _ready(self, server: str) -> bool:
        return self._kube.separate(server, REQUEST_TIMEOUT_S).send("GET", "/readyz", {}, None)[0] == 200

    @contextmanager
    def opened(self, run: str, writers: int) -> Iterator[list[Write]]:
        """Yield `writers` functions that write one key and return its outcome, each on its own connection.

        The namespace `assay-drill-<run>` is made for the time; those of earlier, killed drills are deleted
        first.

        Raises:
            ProbeError: it could not be made.
        """
        self._sweep()
        name = space(run)
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {LABEL: run, **self._gated()}},
        }
        wire = self._kube.wire
        wire.need(wire.ask("POST", "/api/v1/namespaces", body), "POST", "/api/v1/namespaces")
        try:
            yield [self._writer(name) for _ in range(writers)]
        finally:
            self._deleted(name)

    def _gated(self) -> Labels:
        return image_gate(self._kube, self._signatures).inside()

    def _deleted(self, name: str) -> None:
        """Delete the namespace by the first API server that answers; the next drill sweeps what is left."""
        for server in self._kube.apiservers:
            with suppress(ProbeError):
                self._kube.at(server).ask("DELETE", f"/api/v1/namespaces/{name}")
                return

    def _sweep(self) -> None:
        wire = self._kube.wire
        for found in wire.items("/api/v1/namespaces", labelSelector=LABEL):
            wire.ask("DELETE", f"/api/v1/namespaces/{found['metadata']['name']}")

    def _writer(self, name: str) -> Write:
        send = self._kube.separate(timeout=REQUEST_TIMEOUT_S).send
        path = f"/api/v1/namespaces/{name}/configmaps"

        def write(key: str) -> str:
            body = json.dumps(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": key}, "data": {"key": key}}
            ).encode()
            try:
                return outcome_of(send("POST", path, JSON, body)[0])
            except ProbeError as why:
                return FAIL if "connection refused" in why.message else INFO

        return write

    def final_reads(self, run: str) -> dict[str, list[str]]:
        """Return, for each API server, the keys that a consistent read of the drill's namespace finds there.

        Raises:
            ProbeError: one of them could not be read to the end.
        """
        path = f"/api/v1/namespaces/{space(run)}/configmaps"
        return {
            server: [
                str(found["metadata"]["name"])
                for found in self._kube.at(server).items(path)
                if str(found["metadata"]["name"]).startswith("w")
            ]
            for server in self._kube.apiservers
        }


def space(run: str) -> str:
    """Return the name of the namespace of a drill."""
    return f"assay-drill-{run}"
