"""Faults of nodes, clients and stored data: a node on another image, a pinned client, a deleted write."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

from assay.drills.engine.session_cache import clear
from assay.drills.faults.launcher import Launcher
from assay.drills.faults.quorum import Quorum
from assay.drills.workload.namespace import LABEL
from assay.errors import GuardError
from assay.model import Breach, Named
from assay.probes.kube.client import Kube
from assay.proof.plant import Plant


DELETED = "w0-000005"  # one of the writes that the drill was told are stored


def other_image(plant: Plant) -> Iterator[Named]:
    """Restart the worker that runs the fewest pods from another image than the others.

    It is a release behind and has a system extension off the allow list; the lab's launcher makes it.

    Raises:
        GuardError: the node did not come back, from the one image or the other.
    """
    launcher, worker = Launcher.from_profile(plant.profile), plant.targets.idle_worker()
    kube, pinned = Kube.from_profile(plant.profile), f"Talos ({plant.profile.talos.version})"

    def image() -> str:
        """Return what the node says it runs, empty while it is not ready."""
        return next((one.os_image for one in kube.nodes() if one.name == worker and one.ready), "")

    try:
        launcher.do("reimage", worker)
        plant.await_true(lambda: image() not in ("", pinned), f"{worker} running another image", 180)
        yield Named(plant.talos_api.machine(worker).ref)
    finally:
        launcher.do("kill", worker)
        launcher.do("start", worker)
        plant.await_true(lambda: image() == pinned, f"{worker} running its own image", 180)


def client_pinned_to_leader(plant: Plant, control: str) -> Iterator[Breach]:
    """Let the kubeconfig name the API server on the etcd leader's node, which a drill takes away first.

    Writes must then stop for longer than the profile declares for `control`.
    """
    kubeconfig = plant.profile.need_path("kube.kubeconfig")
    host = Quorum.from_profile(plant.profile).leader().address
    pinned = re.sub(r"(server: https://)[^:\s]+", rf"\g<1>{host}", kubeconfig.read_text())
    clear()
    try:
        with plant.talos_api.replaced(kubeconfig, pinned):
            yield Breach("write_gap", "above", plant.profile.override(control).numbers["write_gap"])
    finally:
        clear()


def write_deleted(plant: Plant) -> Iterator[Breach]:
    """Delete one acknowledged write of the drill's own ledger while the drill runs.

    The namespace of an earlier drill may still be going away with the same keys in it: only the one of the
    drill that runs now counts.

    Raises:
        GuardError: no write of the drill was found, so nothing was planted.
    """
    deleter = _Deleter(plant)
    clear()
    deleter.start()
    try:
        yield Breach("lost_writes", "above", 1)
    finally:
        deleter.stop()
        clear()
    if deleter.deleted is None:
        raise GuardError("no write of the drill was deleted", "check that the drill wrote its ledger")


class _Deleter:
    """A thread that deletes one key from the first drill namespace that is made after its start."""

    def __init__(self, plant: Plant) -> None:
        self.deleted: str | None = None
        self._kube = plant.kube
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._delete, args=(self._drills(),), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _drills(self) -> frozenset[str]:
        found = self._kube.wire.items("/api/v1/namespaces", labelSelector=LABEL)
        return frozenset(str(one["metadata"]["name"]) for one in found)

    def _delete(self, earlier: frozenset[str]) -> None:
        while self.deleted is None and not self._stop.wait(1.0):
            for space in self._drills() - earlier:
                if self._kube.get("v1", "ConfigMap", space, DELETED) is not None:
                    self._kube.delete("v1", "ConfigMap", space, DELETED)
                    self.deleted = space
