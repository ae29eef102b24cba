"""What holds state in a live cluster: etcd itself, StatefulSets, claims, volumes, host folders."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import AssumptionError
from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube


ETCD = "Etcd control planes"
DECLARED = "platform.example/state"
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stateful:
    """One thing that holds state, as the platform names it, and the service it belongs to, if known."""

    ref: str
    service: str = ""


@parsing("what holds state in the cluster")
def inventory(kube: Kube, services: Iterable[str], stateless: Iterable[str]) -> list[Stateful]:
    """Return everything that holds state, but for what is declared to hold none that matters.

    Args:
        kube: the cluster.
        services: `glob over names=service`, the first that fits counts.
        stateless: globs over names.

    Raises:
        AssumptionError: an entry of `services` is not written so.
        ProbeError: a list could not be read to its end.
    """
    rules = [_rule(entry) for entry in services]
    known, free = {ETCD: None} | dict.fromkeys(_names(kube)), tuple(stateless)
    kept = [name for name in known if not any(fnmatch.fnmatchcase(name, glob) for glob in free)]
    return [Stateful(name, _service(name, rules)) for name in kept]


def _rule(entry: str) -> tuple[str, str]:
    glob, sign, service = entry.partition("=")
    if not (sign and glob and service):
        raise AssumptionError(f"{entry!r} is no `name=service`", "mend the policy's list")
    return glob, service


def _service(name: str, rules: Iterable[tuple[str, str]]) -> str:
    return next((service for glob, service in rules if fnmatch.fnmatchcase(name, glob)), "")


def _names(kube: Kube) -> Iterator[str]:
    for item in kube.objects("StatefulSet", version="apps/v1"):
        yield _named("StatefulSet", item)
    for item in kube.objects("PersistentVolumeClaim", version="v1"):
        yield _named("PersistentVolumeClaim", item)
    for item in kube.objects("PersistentVolume", version="v1"):
        claim = item["spec"].get("claimRef") or {}
        if not claim:
            yield f"PersistentVolume {item['metadata']['name']}"
    for item in kube.objects("Pod", version="v1"):
        if _writes_host(item) or item["metadata"].get("annotations", {}).get(DECLARED):
            yield _named("Pod", item)


def _named(kind: str, item: Item) -> str:
    return f"{kind} {item['metadata']['namespace']}/{item['metadata']['name']}"


def _writes_host(pod: Item) -> bool:
    """Return whether a container can write to a folder of its node."""
    host = {v["name"] for v in pod["spec"].get("volumes", []) if "hostPath" in v}
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    mounts = [mount for one in containers for mount in one.get("volumeMounts", [])]
    return any(mount["name"] in host and not mount.get("readOnly") for mount in mounts)
