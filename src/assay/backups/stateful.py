"""What holds state in a live cluster: etcd itself, StatefulSets, claims, volumes, host folders."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.config.platform import Platform, Service
from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube


ETCD = "Etcd control planes"
# What the kernel, the runtime, the kubelet or an agent makes anew at the next boot; logs hold no state.
VOLATILE = (
    "/dev", "/proc", "/run", "/sys", "/var/log", "/var/run", "/etc/cni", "/opt/cni", "/var/lib/cni",
    "/var/lib/kubelet", "/lib/modules", "/usr/lib/modules",
)  # fmt: skip
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stateful:
    """One thing that holds state, as the platform names it, and the service it belongs to, if known."""

    ref: str
    service: str = ""


@parsing("what holds state in the cluster")
def inventory(kube: Kube, platform: Platform) -> list[Stateful]:
    """Return everything that holds state, but for what the platform declares to hold none that matters.

    Raises:
        ProbeError: a list could not be read to its end.
    """
    known = dict.fromkeys((ETCD, *_names(kube, platform.annotations.state)))
    kept = [ref for ref in known if not any(one.covers(ref) for one in platform.stateless)]
    return [Stateful(ref, owner.name if (owner := _owner(ref, platform)) else "") for ref in kept]


def _owner(ref: str, platform: Platform) -> Service | None:
    return platform.etcd if ref == ETCD else platform.owner(ref)


def _names(kube: Kube, declared: str) -> Iterator[str]:
    for item in kube.objects("StatefulSet", version="apps/v1"):
        yield _named("StatefulSet", item)
    for item in kube.objects("PersistentVolumeClaim", version="v1"):
        yield _named("PersistentVolumeClaim", item)
    for item in kube.objects("PersistentVolume", version="v1"):
        claim = item["spec"].get("claimRef") or {}
        if not claim:
            yield f"PersistentVolume {item['metadata']['name']}"
    for item in kube.objects("Pod", version="v1"):
        if _writes_host(item) or item["metadata"].get("annotations", {}).get(declared):
            yield _named("Pod", item)


def _named(kind: str, item: Item) -> str:
    return f"{kind} {item['metadata']['namespace']}/{item['metadata']['name']}"


def _writes_host(pod: Item) -> bool:
    """Return whether a container can write to a folder of its node that outlives the node's next boot."""
    host = {v["name"]: v["hostPath"]["path"] for v in pod["spec"].get("volumes", []) if "hostPath" in v}
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    written = {
        host[mount["name"]]
        for one in containers
        for mount in one.get("volumeMounts") or ()
        if mount["name"] in host and not mount.get("readOnly")
    }
    return any(not is_volatile(path) for path in written)


def is_volatile(path: str) -> bool:
    """Return whether what lies at a path of a node is made anew by the node itself, so need not come back."""
    plain = posixpath.normpath(path)
    return any(plain == one or plain.startswith(f"{one}/") for one in VOLATILE)
