"""What holds state: which folders of a node count, and to which service a thing belongs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assay.backups.stateful import ETCD, inventory, is_volatile
from assay.config.platform import Exemption, Platform, Service


@pytest.mark.parametrize(("path", "volatile"), [
    ("/run/cilium", True), ("/var/run/", True), ("/sys/fs/bpf", True), ("/proc/sys/net", True),
    ("/dev", True),
    ("/var/log/pods", True), ("/etc/cni/net.d", True), ("/opt/cni/bin", True),
    ("/var/lib/kubelet/plugins/csi.example", True), ("/lib/modules", True),
    ("/", False), ("/var/lib/longhorn", False), ("/var/lib/etcd", False), ("/etc/kubernetes", False),
    ("/running", False), ("/var/logs", False), ("/run/../var/lib/etcd", False), ("/var/mnt/data", False),
])  # fmt: skip
def test_which_folders_of_a_node_are_made_anew(path: str, volatile: bool) -> None:
    assert is_volatile(path) is volatile


def pod(
    name: str, path: str, *, read_only: bool = False, init: bool = False, state: str = ""
) -> dict[str, Any]:
    notes = {"assay.dev/state": state} if state else {}
    mount = {"name": "v", "mountPath": "/v", "readOnly": read_only}
    with_it, without = [{"name": "c", "volumeMounts": [mount]}], [{"name": "c"}]
    return {
        "metadata": {"namespace": "n", "name": name, "annotations": notes},
        "spec": {
            "volumes": [{"name": "v", "hostPath": {"path": path}}, {"name": "e", "emptyDir": {}}],
            "containers": without if init else with_it,
            "initContainers": with_it if init else [],
        },
    }  # fmt: skip


def found(platform: Platform, **lists: list[dict[str, Any]]) -> dict[str, str]:
    kube: Any = SimpleNamespace(objects=lambda kind, version: lists.get(kind, []))
    return {one.ref: one.service for one in inventory(kube, platform)}


def test_pods_that_write_what_stays_hold_state() -> None:
    pods = [
        pod("agent", "/var/run/cilium"), pod("reader", "/var/lib/data", read_only=True),
        pod("storage", "/var/lib/longhorn"), pod("setup", "/var/lib/db", init=True),
        pod("declared", "/run/x", state="yes"),
    ]  # fmt: skip
    assert found(Platform(), Pod=pods) == {
        ETCD: "etcd", "Pod n/storage": "", "Pod n/setup": "", "Pod n/declared": "",
    }  # fmt: skip


def test_a_thing_belongs_to_the_first_service_that_owns_it_or_to_none() -> None:
    services = (Service("db", ("* n/db*",)), Service("all", ("StatefulSet n/*",)))
    platform = Platform(services=services, stateless=(Exemption("* n/cache", "a cache"),))
    sets = [{"metadata": {"namespace": "n", "name": name}} for name in ("db", "queue", "cache")]
    claims = [{"metadata": {"namespace": "m", "name": "uploads"}}]
    volumes = [
        {"metadata": {"name": "free"}, "spec": {}},
        {"metadata": {"name": "b"}, "spec": {"claimRef": {"a": 1}}},
    ]
    lists = {"StatefulSet": sets, "PersistentVolumeClaim": claims, "PersistentVolume": volumes}
    assert found(platform, **lists) == {
        ETCD: "etcd", "StatefulSet n/db": "db", "StatefulSet n/queue": "all",
        "PersistentVolumeClaim m/uploads": "", "PersistentVolume free": "",
    }  # fmt: skip
