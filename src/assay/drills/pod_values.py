"""What the containers of running pods hold of a Secret, where they take it: a file or a variable."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.formats.tools import run_tool


EXEC_TIMEOUT_S = 15.0
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PodValue:
    """One place where a container holds a value: `words` is the command that prints it inside."""

    space: str
    pod: str
    container: str
    words: tuple[str, ...]

    @property
    def ref(self) -> str:
        """Return `Pod namespace/name`."""
        return f"Pod {self.space}/{self.pod}"


@dataclass(frozen=True, slots=True)
class PodReader:
    """Looks into containers by `kubectl exec`; what they print is compared, never kept."""

    kubectl: Path
    kubeconfig: Path

    @classmethod
    def from_profile(cls, profile: Profile) -> PodReader:
        """Return the reader of the stack of `profile`.

        Raises:
            ProbeError: the profile lacks kubectl or the kubeconfig.
        """
        return cls(profile.need_path("tools.kubectl"), profile.need_path("kube.kubeconfig"))

    def value(self, place: PodValue) -> str | None:
        """Return what a container holds, None where it cannot be looked into, as one without any program."""
        where = [f"--kubeconfig={self.kubeconfig}", "-n", place.space, "exec", place.pod]
        argv = [str(self.kubectl), *where, "-c", place.container, "--", *place.words]
        try:
            # The whole environment: the kubeconfig may name a program that fetches the credential.
            done = run_tool(argv, EXEC_TIMEOUT_S, "kubectl exec", env=os.environ)
        except ProbeError:
            return None
        return None if done.code else done.text.rstrip("\n")


@parsing("the cluster's pods")
def values_in(pods: Iterable[Item], secret: str, key: str) -> list[PodValue]:
    """Return every place where a running container of `pods` takes `key` of a Secret, `namespace/name`.

    Init containers ended before, and pods that are going away count no more.
    """
    space, _, name = secret.partition("/")
    return [
        PodValue(space, str(pod["metadata"]["name"]), str(container["name"]), words)
        for pod in pods
        if pod["metadata"]["namespace"] == space and _stays(pod)
        for container in pod["spec"]["containers"]
        for words in (*_variables(container, name, key), *_files(pod, container, name, key))
    ]


def _stays(pod: Item) -> bool:
    going = pod["metadata"].get("deletionTimestamp")
    return not going and (pod.get("status") or {}).get("phase") == "Running"


def _variables(container: Item, name: str, key: str) -> Iterator[tuple[str, ...]]:
    for one in container.get("env") or ():
        taken = (one.get("valueFrom") or {}).get("secretKeyRef") or {}
        if (taken.get("name"), taken.get("key")) == (name, key):
            yield ("printenv", str(one["name"]))
    for source in container.get("envFrom") or ():
        if (source.get("secretRef") or {}).get("name") == name:
            yield ("printenv", f"{source.get('prefix', '')}{key}")


def _files(pod: Item, container: Item, name: str, key: str) -> Iterator[tuple[str, ...]]:
    files = {one["name"]: _file(one, name, key) for one in pod["spec"].get("volumes") or ()}
    for mount in container.get("volumeMounts") or ():
        if not (file := files.get(mount["name"], "")) or mount.get("subPathExpr"):
            continue
        part = mount.get("subPath")
        if not part or part == file:
            yield ("cat", mount["mountPath"] if part else f"{mount['mountPath'].rstrip('/')}/{file}")


def _file(volume: Item, name: str, key: str) -> str:
    """Return the file below a volume that holds `key` of the Secret `name`, empty where none does."""
    projected = (volume.get("projected") or {}).get("sources") or ()
    sources = [volume.get("secret") or {}, *(one.get("secret") or {} for one in projected)]
    for one in sources:
        if name in (one.get("secretName"), one.get("name")):
            chosen = {item["key"]: str(item["path"]) for item in one.get("items") or ()}
            return chosen.get(key, "") if chosen else key
    return ""
