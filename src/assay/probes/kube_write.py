"""The write side of the Kubernetes API, for planting in a lab: what is made carries a label, and what is changed can be put back."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.errors import ProbeError
from assay.probes.kube_paths import collection, collection_of, named, one, path_of
from assay.probes.kube_wire import JSON, MERGE, Answer, Wire


T = TypeVar("T")
PLANTED = "assay.dev/planted"
PATIENCE = 60.0
PAUSE = 0.25
SERVER_SET = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
Manifest = dict[str, Any]


def wait(what: str, observed: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """Return the first true thing that `observed` returns.

    Raises:
        ProbeError: nothing true within `patience` seconds.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        seen = observed()
        if seen:
            return seen
        time.sleep(PAUSE)
    raise ProbeError(f"{what}: not seen within {patience:.0f} s", "look at the object and its events")


@dataclass(frozen=True, slots=True)
class KubeWriter:
    """Creates, changes and deletes objects of any kind through `wire`; `run` is the value of the label that `mark` names."""

    wire: Wire
    run: str
    mark: str = PLANTED

    def get(self, kind: str, namespace: str, name: str, version: str = "") -> Mapping[str, Any] | None:
        """Return the live object, None where there is none."""
        path = one(kind, namespace, name, version)
        answer = self.wire.ask("GET", path)
        return None if answer.status == 404 else self.wire.need(answer, "GET", path).body

    def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the object as created from `manifest`, with the label of this run added; an object that exists is an error."""
        labelled = copy.deepcopy(dict(manifest))
        labelled.setdefault("metadata", {}).setdefault("labels", {})[self.mark] = self.run
        return self.create(labelled)

    def create(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the object as created, without adding a label: for putting back what was taken away."""
        path = collection_of(manifest)
        return self.wire.need(self.wire.ask("POST", path, manifest), "POST", path).body

    def delete(
        self, kind: str, namespace: str, name: str, version: str = "", patience: float = PATIENCE
    ) -> None:
        """Delete one object at once and wait until it is gone; one that is not there is no error."""
        path = one(kind, namespace, name, version)
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "propagationPolicy": "Background",
        }
        answer = self.wire.ask("DELETE", path, body)
        if answer.status == 404:
            return
        self.wire.need(answer, "DELETE", path)
        wait(f"{kind} {name} gone", lambda: self.get(kind, namespace, name, version) is None, patience)

    def patch(
        self, kind: str, namespace: str, name: str, patch: object, version: str = "", content: str = MERGE
    ) -> Mapping[str, Any]:
        """Return the object after a merge patch (or another kind of patch by its content type)."""
        path = one(kind, namespace, name, version)
        return self.wire.need(self.wire.ask("PATCH", path, patch, content), "PATCH", path).body

    def put(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the object after replacing its live state by `manifest`, whatever was there meanwhile."""
        path = path_of(manifest)
        return self.wire.need(self.wire.ask("PUT", path, manifest, JSON), "PUT", path).body

    def put_back(self, before: Mapping[str, Any]) -> None:
        """Make the object again what it was in `before`: replaced if it is there, created if it is not."""
        kind, meta = str(before["kind"]), before["metadata"]
        live = self.get(kind, str(meta.get("namespace", "")), str(meta["name"]), str(before["apiVersion"]))
        clean = bare(before)
        if live is None:
            self.create(clean)
            return
        clean["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        self.put(clean)

    def items(
        self, kind: str, namespace: str = "", version: str = "", **selectors: str
    ) -> list[Mapping[str, Any]]:
        """Return every object of `kind`, the list read to its end."""
        return self.wire.items(collection(kind, namespace, version), **selectors)

    def try_create(self, manifest: Mapping[str, Any]) -> Answer:
        """Return the answer to a creation as a dry run: nothing is stored."""
        return self.wire.ask("POST", f"{collection_of(manifest)}?dryRun=All", manifest)

    @contextmanager
    def applied(
        self, manifest: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], object] | None = None
    ) -> Iterator[str]:
        """Create `manifest`, wait until `ready` holds for the live object, yield its name, and delete it on every exit."""
        kind, meta, version = str(manifest["kind"]), manifest["metadata"], str(manifest["apiVersion"])
        where = (kind, str(meta.get("namespace", "")), str(meta["name"]), version)
        try:
            self.apply(manifest)
            if ready is not None:
                wait(named(manifest), lambda: self._holds(where, ready))
            yield named(manifest)
        finally:
            self.delete(*where)

    def _holds(self, where: tuple[str, str, str, str], ready: Callable[[Mapping[str, Any]], object]) -> bool:
        live = self.get(*where)
        return live is not None and bool(ready(live))

    @contextmanager
    def patched(
        self, kind: str, namespace: str, name: str, patch: object, version: str = "", content: str = MERGE
    ) -> Iterator[Mapping[str, Any]]:
        """Change a live object, yield it as changed, and make it what it was on every exit.

        Raises:
            ProbeError: no such object.
        """
        before = self.get(kind, namespace, name, version)
        if before is None:
            raise ProbeError(
                f"{kind} {name} is not there, so it cannot be changed", "is the platform deployed?"
            )
        try:
            yield self.patch(kind, namespace, name, patch, version, content)
        finally:
            self.put_back(before)

    @contextmanager
    def removed(self, kind: str, namespace: str, name: str, version: str = "") -> Iterator[None]:
        """Delete a live object, and create it again on every exit.

        Raises:
            ProbeError: no such object.
        """
        before = self.get(kind, namespace, name, version)
        if before is None:
            raise ProbeError(
                f"{kind} {name} is not there, so it cannot be taken away", "is the platform deployed?"
            )
        try:
            self.delete(kind, namespace, name, version)
            yield
        finally:
            self.put_back(before)


def bare(live: Mapping[str, Any]) -> Manifest:
    """Return a live object as a manifest: without status and without what only the server sets."""
    manifest = copy.deepcopy({key: value for key, value in live.items() if key != "status"})
    for key in SERVER_SET:
        manifest["metadata"].pop(key, None)
    return manifest
