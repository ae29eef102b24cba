"""How values of Vault reach pods without a Secret: an agent or a wrapper beside the process, or a CSI volume.

Known by their published shape: Vault's agent injector, bank-vaults' webhook, the Secrets Store CSI driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.formats.parsing import parsing
from assay.origins.external_secrets import seconds
from assay.origins.secret_holders import VARIABLE, running_pods
from assay.probes.kube.client import Kube
from assay.probes.kube.paths import collection


AGENT = "vault.hashicorp.com/"
AGENT_EVERY_S = 300.0  # what the agent reads a KV entry again after, by default
DRIVER = "secrets-store.csi.k8s.io"
DRIVER_EVERY_S = 120.0
ROTATION = re.compile(r"--?enable-secret-rotation(?:=true)?")
POLLS = re.compile(r"--?rotation-poll-interval=(\S+)")
WRAPPED = re.compile(r"(?:>>)?vault:[^#\s]+#\S+")  # what bank-vaults puts the value in place of
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One pod that is given values of Vault: by what, every how many seconds, and why never; empty if it is."""

    ref: str
    by: str
    interval: float = 0.0
    fault: str = ""

    def late(self, limit: float) -> str:
        """Return why a rotation does not arrive within `limit` seconds, empty if it does."""
        if self.fault:
            return f"{self.by}: {self.fault}"
        return f"{self.by} looks at the source every {self.interval:.0f} s" if self.interval > limit else ""


@parsing("the cluster's pods")
def deliveries(kube: Kube) -> list[Delivery]:
    """Return every running pod that is given values of Vault without a Secret, each once for each way.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    pods = running_pods(kube)
    mounted = any(_classes(pod) for pod in pods)
    interval = _driver_interval(kube.wire.items(collection("DaemonSet"))) if mounted else 0.0
    return [one for pod in pods for one in _of_pod(pod, interval)]


def _of_pod(pod: Item, interval: float) -> Iterator[Delivery]:
    meta = pod["metadata"]
    ref, about = f"Pod {meta['namespace']}/{meta['name']}", meta.get("annotations") or {}
    if str(about.get(f"{AGENT}agent-inject", "")).lower() == "true":
        once = str(about.get(f"{AGENT}agent-pre-populate-only", "")).lower() == "true"
        every = seconds(str(about.get(f"{AGENT}template-static-secret-render-interval", "")))
        yield Delivery(
            ref, "Vault's agent", every or AGENT_EVERY_S, "runs once, before the process" if once else ""
        )
    if any(WRAPPED.fullmatch(str(one.get("value", ""))) for one in _variables(pod)):
        yield Delivery(ref, "bank-vaults' webhook", fault=VARIABLE)
    if _classes(pod):
        off = "" if interval else "no driver of the cluster has --enable-secret-rotation"
        yield Delivery(ref, "the Secrets Store driver", interval, off)


def _variables(pod: Item) -> Iterator[Item]:
    for container in pod["spec"].get("containers") or ():
        yield from container.get("env") or ()


def _classes(pod: Item) -> list[str]:
    """Return the SecretProviderClasses that a pod mounts."""
    volumes = [one["csi"] for one in pod["spec"].get("volumes") or () if "csi" in one]
    return [
        str((one.get("volumeAttributes") or {}).get("secretProviderClass"))
        for one in volumes
        if one.get("driver") == DRIVER
    ]


def _driver_interval(sets: list[Item]) -> float:
    """Return how often the Secrets Store driver looks at its source, in seconds; 0: never."""
    for one in sets:
        for container in one["spec"]["template"]["spec"].get("containers") or ():
            words = [str(word) for key in ("command", "args") for word in container.get(key) or ()]
            if any(ROTATION.fullmatch(word) for word in words):
                given = next((found[1] for word in words if (found := POLLS.fullmatch(word))), "")
                return seconds(given) or DRIVER_EVERY_S
    return 0.0
