"""The write side of the Kubernetes API.

Objects of any kind made, changed and deleted, each call one request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import ProbeError
from assay.polling import poll
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import api_resources
from assay.probes.kube.paths import collection_of, one
from assay.probes.kube.wire import MERGE, Wire
from assay.writers.lab import require_lab


T = TypeVar("T")
Manifest = dict[str, Any]
OBSERVED_TIMEOUT_S = 60.0
LOOK_PERIOD_S = 0.25
NEEDED = frozenset({"list", "delete", "patch"})
DELETE_NOW = {
    "kind": "DeleteOptions",
    "apiVersion": "v1",
    "gracePeriodSeconds": 0,
    "propagationPolicy": "Background",
}


def wait(what: str, observed: Callable[[], T | None], timeout_s: float = OBSERVED_TIMEOUT_S) -> T:
    """Return the first true thing that `observed` returns.

    Raises:
        ProbeError: nothing true in `timeout_s` seconds.
    """
    if found := poll(observed, timeout_s, LOOK_PERIOD_S):
        return found
    raise ProbeError(f"{what}: not observed in {timeout_s:.0f} s", "look at the object and its events")


@dataclass(frozen=True, slots=True)
class KubeWriter:
    """Creates, changes and deletes objects through the address of `reader`, within `effect`.

    The caller labels what is made and undoes what is done.
    """

    reader: Wire
    effect: Effect = Effect.WRITES

    @property
    def wire(self) -> Wire:
        """Return the connection that lets writes through."""
        return self.reader.allowing(self.effect)

    @classmethod
    def from_profile(cls, profile: Profile) -> KubeWriter:
        """Return the write side for the lab of `profile`.

        Raises:
            GuardError: the stack is not a lab, or another cluster answers than the profile means.
        """
        require_lab(profile)
        return cls(Kube.from_profile(profile).wire)

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Manifest | None:
        """Return the live object, None where there is none."""
        path = one(kind, namespace, name, api_version)
        answer = self.wire.ask("GET", path)
        return None if answer.status == 404 else dict(self.wire.need(answer, "GET", path).body)

    def apply(self, manifest: Mapping[str, Any]) -> Manifest:
        """Return the object as created from `manifest`; one that exists already is an error."""
        path = collection_of(manifest)
        return dict(self.wire.need(self.wire.ask("POST", path, manifest), "POST", path).body)

    def patch(
        self, api_version: str, kind: str, namespace: str, name: str, patch: object, content: str = MERGE
    ) -> Manifest:
        """Return the object after a merge patch, or another kind of patch by its content type."""
        path = one(kind, namespace, name, api_version)
        return dict(self.wire.need(self.wire.ask("PATCH", path, patch, content), "PATCH", path).body)

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        """Ask for one object's deletion, in the background and without grace.

        It is not an error if there is none.
        """
        path = one(kind, namespace, name, api_version)
        answer = self.wire.ask("DELETE", path, DELETE_NOW)
        if answer.status != 404:
            self.wire.need(answer, "DELETE", path)

    def gone(
        self, api_version: str, kind: str, namespace: str, name: str, timeout_s: float = OBSERVED_TIMEOUT_S
    ) -> None:
        """Delete one object and return when it is gone.

        Raises:
            ProbeError: it is still there after `timeout_s` seconds.
        """
        self.delete(api_version, kind, namespace, name)
        wait(f"{kind} {name} gone", lambda: self.get(api_version, kind, namespace, name) is None, timeout_s)

    def labelled(self, selector: str) -> list[Manifest]:
        """Return every object, of every kind that can be listed and deleted, that a label selector picks."""
        return [
            found
            for resource in api_resources(self.wire, NEEDED)
            for found in self._labelled(*resource, selector)
        ]

    def _labelled(self, version: str, kind: str, path: str, selector: str) -> Iterator[Manifest]:
        for item in self.wire.items(path, labelSelector=selector):
            yield {**item, "apiVersion": version, "kind": kind}
