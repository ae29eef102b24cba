"""Who in a running cluster holds a Secret, and in a way that follows when its value changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.config.platform import Exemption
from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube
from assay.probes.kube.paths import collection, ref


RELOADED = ("Deployment", "StatefulSet", "DaemonSet")
# Stakater Reloader's annotations of a workload: every Secret it uses, those that are listed, all but those.
AUTO = ("reloader.stakater.com/auto", "secret.reloader.stakater.com/auto")
LISTED, LEFT_OUT = "secret.reloader.stakater.com/reload", "secrets.exclude.reloader.stakater.com/reload"
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
    def ref(self) -> str:
        """Return `Pod namespace/name`."""
        return f"Pod {self.space}/{self.pod}"

    @property
    def held(self) -> str:
        """Return `Secret namespace/name`."""
        return f"Secret {self.space}/{self.secret}"


class RotationExemption:
    """What need not follow a rotation by itself; `used` is what was exempt, with its reason."""

    def __init__(self, rules: Sequence[Exemption], never: str) -> None:
        """Take rules on `Secret namespace/name` and `Pod namespace/name`; the Secret `never` is not exempt."""
        self.used: dict[str, str] = {}
        self._never, self._rules = never, rules

    def covers(self, secret: str, pod: str = "") -> bool:
        """Return whether a rule exempts this Secret, or this pod that holds it."""
        if secret == self._never:
            return False
        for name in filter(None, (secret, pod)):
            if rule := next((one for one in self._rules if one.covers(name)), None):
                self.used[name] = rule.reason
                return True
        return False


def running_pods(kube: Kube) -> list[Item]:
    """Return the pods that run on; one of a Job ends by itself, and the next takes the new value.

    Raises:
        ProbeError: the list is denied or not whole.
    """
    return [pod for pod in kube.wire.items(collection("Pod")) if not _ends(pod)]


@parsing("the cluster's pods")
def holders(
    kube: Kube,
    secrets: Collection[tuple[str, str]],
    reloaders: Collection[str] = (),
    restarting: Mapping[tuple[str, str], Collection[str]] | None = None,
) -> list[Holder]:
    """Return who holds one of `secrets` (namespace, name), each container once for each Secret.

    Pods of Jobs are left out. What is restarted when the Secret changes has no fault.

    Args:
        kube: the cluster.
        secrets: (namespace, name) of each.
        reloaders: `Kind namespace/name` of the workloads that may be one; nobody restarts anything unless
            one of them is ready.
        restarting: (namespace, name) of a Secret -> `Kind namespace/name` of the workloads that the operator
            restarts that writes it.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    found = [
        (pod, one) for pod in running_pods(kube) for one in _of(pod) if (one.space, one.secret) in secrets
    ]
    above, ready = _workloads(kube, reloaders) if any(one.fault for _, one in found) else ({}, False)
    known = restarting or {}

    def follows(pod: Item, one: Holder) -> bool:
        owner = _owned(above, pod)
        named = owner is not None and ref(owner) in known.get((one.space, one.secret), ())
        return named or (ready and _restarted(above, pod, one.secret))

    return [replace(one, fault="") if follows(pod, one) else one for pod, one in found]


def _ends(pod: Item) -> bool:
    jobs = any(one["kind"] == "Job" for one in _owners(pod))
    return (pod.get("status") or {}).get("phase") in OVER or jobs


def _owners(item: Item) -> Collection[Item]:
    return item["metadata"].get("ownerReferences") or ()


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


def _workloads(kube: Kube, reloaders: Collection[str]) -> tuple[dict[str, Item], bool]:
    """Return UID of a pod's owner -> the workload that may be restarted, and whether a reloader is ready."""
    listed = {kind: kube.wire.items(collection(kind)) for kind in (*RELOADED, "ReplicaSet")}
    every = [{**one, "kind": kind} for kind in RELOADED for one in listed[kind]]
    ready = any(ref(one) in reloaders and (one.get("status") or {}).get("readyReplicas") for one in every)
    found = {one["metadata"]["uid"]: one for one in every}
    sets = {one["metadata"]["uid"]: _owned(found, one) for one in listed["ReplicaSet"]}
    return found | {uid: above for uid, above in sets.items() if above is not None}, ready


def _owned(workloads: Mapping[str, Item], item: Item) -> Item | None:
    uid = next((one["uid"] for one in _owners(item) if one.get("controller")), "")
    return workloads.get(uid)


def _restarted(workloads: Mapping[str, Item], pod: Item, secret: str) -> bool:
    about = (_owned(workloads, pod) or {}).get("metadata", {}).get("annotations") or {}
    listed, left_out = (
        [word.strip() for word in about.get(key, "").split(",")] for key in (LISTED, LEFT_OUT)
    )
    auto = any(about.get(key) == "true" for key in AUTO)
    return secret in listed or (auto and secret not in left_out)
