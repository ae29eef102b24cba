"""Who in a running cluster holds a Secret, and in a way that follows when its value changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.probes.kube import Kube
from assay.probes.kube_paths import collection


RELOADED = ("Deployment", "StatefulSet", "DaemonSet")
OVER = ("Succeeded", "Failed")
VARIABLE = "takes it as a variable: the process keeps the value it was started with"
PART = "mounts it by subPath: the kubelet never renews that"
ONCE = "an init container reads it, once"
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Holder:
    """One container that holds one Secret: the pod, the container, the Secret, why it does not follow."""

    space: str
    pod: str
    container: str
    secret: str
    fault: str = ""

    @property
    def named(self) -> str:
        """Return `Pod namespace/name`."""
        return f"Pod {self.space}/{self.pod}"


def holders(
    kube: Kube, secrets: Collection[tuple[str, str]], reloaders: Collection[str] = ()
) -> list[Holder]:
    """Return who holds one of `secrets` (namespace, name), each container once for each Secret.

    A pod of a Job ends by itself, and the next one takes the new value; it is left out. So is whatever a
    controller restarts when a Secret changes, known by an annotation that begins with one of `reloaders`.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    pods = [pod for pod in kube.wire.items(collection("Pod")) if not _ends(pod)]
    found = [(pod, one) for pod in pods for one in _of(pod) if (one.space, one.secret) in secrets]
    followed = _reloaded(kube, reloaders) if any(one.fault for _, one in found) else []
    return [
        one if not _selected(pod, followed) else Holder(one.space, one.pod, one.container, one.secret)
        for pod, one in found
    ]


def _ends(pod: Item) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    return (pod.get("status") or {}).get("phase") in OVER or any(one["kind"] == "Job" for one in owners)


def _of(pod: Item) -> Iterator[Holder]:
    meta, spec = pod["metadata"], pod["spec"]
    volumes = {one["name"]: set(_mounted(one)) for one in spec.get("volumes") or ()}
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or ():
            once = kind == "initContainers" and container.get("restartPolicy") != "Always"
            for secret, fault in sorted(_taken(container, volumes).items()):
                yield Holder(
                    str(meta["namespace"]), str(meta["name"]), str(container["name"]), secret,
                    ONCE if once else fault,
                )  # fmt: skip


def _mounted(volume: Item) -> Iterator[str]:
    if "secret" in volume:
        yield str(volume["secret"].get("secretName", ""))
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "secret" in source:
            yield str(source["secret"].get("name", ""))


def _taken(container: Item, volumes: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Return the Secrets that a container takes, with why it does not follow; the worst way counts."""
    found: dict[str, str] = {}
    for mount in container.get("volumeMounts") or ():
        for secret in volumes.get(mount["name"], ()):
            part = mount.get("subPath") or mount.get("subPathExpr")
            found[secret] = found.get(secret) or (PART if part else "")
    for variable in container.get("env") or ():
        if name := ((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name"):
            found[str(name)] = VARIABLE
    for source in container.get("envFrom") or ():
        if name := (source.get("secretRef") or {}).get("name"):
            found[str(name)] = VARIABLE
    return found


def _reloaded(kube: Kube, prefixes: Collection[str]) -> list[tuple[str, Mapping[str, str]]]:
    """Return (namespace, selector) of every workload that a reloader watches."""
    items = [one for kind in RELOADED for one in kube.wire.items(collection(kind))]
    return [
        (str(one["metadata"]["namespace"]), one["spec"]["selector"].get("matchLabels") or {})
        for one in items
        if any(key.startswith(tuple(prefixes)) for key in one["metadata"].get("annotations") or {})
    ]


def _selected(pod: Item, workloads: Iterable[tuple[str, Mapping[str, str]]]) -> bool:
    meta = pod["metadata"]
    labels = (meta.get("labels") or {}).items()
    return any(
        space == meta["namespace"] and wanted and wanted.items() <= labels for space, wanted in workloads
    )
