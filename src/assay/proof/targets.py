"""The objects of a lab that violations change: as the profile names them, else as the lab's objects say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.backups.schedules import TALOS
from assay.config.platform import Service, covered
from assay.config.profile import Profile
from assay.errors import GuardError
from assay.formats.yaml_text import documents, text_of
from assay.probes.kube.client import Kube
from assay.probes.kube.paths import ref
from assay.probes.kube.shapes import Manifest


APPS = "apps/v1"
EXTERNAL = "external-secrets.io/v1"


@dataclass(frozen=True, slots=True)
class Target:
    """One object of the cluster that a violation changes."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def ref(self) -> str:
        """Return `Kind namespace/name`."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return (API version, kind, namespace, name), as reads of one object want it."""
        return self.api_version, self.kind, self.namespace, self.name


class Targets:
    """The objects and files of one lab that violations change."""

    def __init__(self, profile: Profile) -> None:
        """Look at the lab of `profile`; nothing is read yet."""
        self._profile = profile

    # the workloads --------------------------------------------------------------------------------

    def declared(self, key: str) -> Target:
        """Return the Deployment that the profile names as `key` under `[violations]`.

        Raises:
            ProbeError: it names none.
            GuardError: it is not written as `Deployment namespace/name`.
        """
        written = self._profile.need_text(f"violations.{key}")
        kind, _, path = written.partition(" ")
        space, _, name = path.partition("/")
        if kind != "Deployment" or not space or not name:
            raise GuardError(f"{key} under [violations] is {written!r}", "write it as Deployment team/api")
        return Target(APPS, kind, space, name)

    def stateful_set(self, service: str) -> Target:
        """Return the StatefulSet that the profile counts as the state of `service`.

        Raises:
            GuardError: there is none.
        """
        known = self._profile.platform.service(service)
        return self._first(APPS, "StatefulSet", lambda found: known is not None and known.holds(ref(found)))

    def backed_up(self, *kinds: str) -> Service:
        """Return the first service whose backups are made in one of these ways.

        Raises:
            GuardError: there is none.
        """
        for one in self._profile.platform.made_by(*kinds):
            return one
        raise GuardError(
            f"the lab has no service with backups of {' or '.join(kinds)}", "declare one in its profile"
        )

    def backup_job(self, service: str) -> Target:
        """Return the CronJob that says it backs up `service`.

        Raises:
            GuardError: there is none.
        """
        key = self._profile.platform.annotations.backup_of
        return self._first("batch/v1", "CronJob", lambda found: _annotation(found, key) == service)

    def talos_account(self, job: Target) -> Target:
        """Return the Talos service account in the namespace of a backup job.

        Raises:
            GuardError: there is none.
        """
        return self._first(
            TALOS, "ServiceAccount", lambda found: found["metadata"]["namespace"] == job.namespace
        )

    def worker(self, pool: str) -> str:
        """Return the name of a worker of `pool`, by its live label.

        Raises:
            GuardError: there is none.
        """
        label = self._profile.platform.pools.label
        for node in Kube.from_profile(self._profile).nodes():
            if node.name in self._profile.talos.workers and node.labels.get(label) == pool:
                return node.name
        raise GuardError(f"no worker of pool {pool}: nothing planted", "check that every node is there")

    def idle_worker(self) -> str:
        """Return the name of the worker that runs the fewest pods: the one that can best be spared."""
        on = [pod.node for pod in Kube.from_profile(self._profile).pods()]
        return min(self._profile.talos.workers, key=lambda name: (on.count(name), name))

    # secrets and their sources --------------------------------------------------------------------

    def external_secret(self) -> Manifest:
        """Return an ExternalSecret whose Secret must follow a rotation, as the API returns it.

        Raises:
            GuardError: there is none.
        """
        spared = tuple(one.match for one in self._profile.platform.rotation.exemptions)
        return self._object(EXTERNAL, "ExternalSecret", lambda found: not covered(made_by(found).ref, spared))

    def canary(self) -> Manifest:
        """Return the ExternalSecret that makes the Secret of the rotated login, as the API returns it.

        Raises:
            GuardError: there is none.
        """
        wanted = f"Secret {self._profile.platform.rotation.canary_secret}"
        return self._object(EXTERNAL, "ExternalSecret", lambda found: made_by(found).ref == wanted)

    def encrypted_secret(self) -> Target:
        """Return a Secret that the stack's encrypted files declare.

        Raises:
            GuardError: there is none.
        """
        for found in _encrypted(self._profile.sops.trees):
            return found
        raise GuardError("no encrypted file declares a Secret, nothing planted", "set trees under [sops]")

    def _first(self, version: str, kind: str, fits: Callable[[Manifest], bool]) -> Target:
        meta = self._object(version, kind, fits)["metadata"]
        return Target(version, kind, meta["namespace"], meta["name"])

    def _object(self, version: str, kind: str, fits: Callable[[Manifest], bool]) -> Manifest:
        """Return the first object by namespace and name that fits, as the API writes it."""
        every = Kube.from_profile(self._profile).objects(kind, version=version)
        for found in sorted(({**one, "kind": kind} for one in every), key=ref):
            if fits(found):
                return found
        raise GuardError(f"no {kind} fits, nothing planted", "check [platform] in the profile")


def _annotation(found: Manifest, key: str) -> str:
    return str((found["metadata"].get("annotations") or {}).get(key, ""))


def made_by(found: Manifest) -> Target:
    """Return the Secret that an ExternalSecret makes."""
    meta, target = found["metadata"], (found["spec"].get("target") or {}).get("name")
    return Target("v1", "Secret", meta["namespace"], target or meta["name"])


def _encrypted(trees: tuple[Path, ...]) -> Iterator[Target]:
    """Yield the Secrets that encrypted files declare; of a file, only what is not encrypted is used."""
    for file in (file for tree in trees for file in sorted(tree.rglob("*.sops.yaml"))):
        for found in documents(text_of(file, file.name), file.name):
            space, name = (found.get("metadata", key) for key in ("namespace", "name"))
            if found.get("kind") == "Secret" and space and name:
                yield Target("v1", "Secret", space, name)
