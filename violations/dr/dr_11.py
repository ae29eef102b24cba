"""DR-11: a client pinned to the etcd leader's own node, and a write that does not survive."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from assay.drills import forget
from assay.drills.scene import LABEL
from assay.plant import Breach, Plant
from assay.probes.etcd import Etcd


@contextmanager
def one_address_only(plant: Plant) -> Iterator[Breach]:
    """Point the kubeconfig past the load balancer, at the API server beside the etcd leader.

    The first to be lost.
    """
    etcd, kubeconfig = Etcd.from_profile(plant.profile), plant.profile.need_path("kube.kubeconfig")
    rows = [etcd.status(endpoint) for endpoint in etcd.endpoints]
    leader = next(row.endpoint for row in rows if row.member == row.leader)
    host = leader.removeprefix("https://").rsplit(":", 1)[0]
    pinned = re.sub(r"(server: https://)[^:\s]+", rf"\g<1>{host}", kubeconfig.read_text())
    forget()
    try:
        with plant.talos_api.replaced(kubeconfig, pinned):
            yield Breach("write_gap", "above", plant.profile.declared["DR-11.write_gap"])
    finally:
        forget()


@contextmanager
def write_taken_away(plant: Plant) -> Iterator[Breach]:
    """Delete one acknowledged write of the drill's own ledger while it runs."""
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
            if plant.kube.get("v1", "ConfigMap", space, "w0-000005") is not None:
                plant.kube.delete("v1", "ConfigMap", space, "w0-000005")
                return


PLANTED = [one_address_only, write_taken_away]
