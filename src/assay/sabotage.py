"""What makes the loss of a control plane cost something in a lab: a pinned client, a stolen write."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from assay.drills import forget
from assay.drills.scene import LABEL
from assay.plant import Breach, Plant
from assay.probes.etcd import Etcd


STOLEN = "w0-000005"


@contextmanager
def client_pinned_to_leader(plant: Plant, control: str) -> Iterator[Breach]:
    """Point the kubeconfig past the load balancer, at the API server beside the etcd leader: the first lost.

    Writes must then stop for longer than the profile declares for `control`.
    """
    etcd, kubeconfig = Etcd.from_profile(plant.profile), plant.profile.need_path("kube.kubeconfig")
    rows = [etcd.status(endpoint) for endpoint in etcd.endpoints]
    leader = next(row.endpoint for row in rows if row.member == row.leader)
    host = leader.removeprefix("https://").rsplit(":", 1)[0]
    pinned = re.sub(r"(server: https://)[^:\s]+", rf"\g<1>{host}", kubeconfig.read_text())
    forget()
    try:
        with plant.talos_api.replaced(kubeconfig, pinned):
            yield Breach("write_gap", "above", plant.profile.declared[f"{control}.write_gap"])
    finally:
        forget()


@contextmanager
def write_stolen(plant: Plant) -> Iterator[Breach]:
    """Delete one acknowledged write of the drill's own ledger while the drill runs."""
    stop = threading.Event()
    thief = threading.Thread(target=_steal, args=(plant, stop), daemon=True)
    forget()
    thief.start()
    try:
        yield Breach("lost_writes", "above", 1)
    finally:
        stop.set()
        thief.join(timeout=30)
        forget()


def _steal(plant: Plant, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        for namespace in plant.kube.wire.items("/api/v1/namespaces", labelSelector=LABEL):
            space = namespace["metadata"]["name"]
            if plant.kube.get("v1", "ConfigMap", space, STOLEN) is not None:
                plant.kube.delete("v1", "ConfigMap", space, STOLEN)
                return
