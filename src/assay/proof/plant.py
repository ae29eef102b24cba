"""What a violation may do to a platform: change files and objects, labelled, and undone afterwards."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.paths import Paths
from assay.config.profile import Profile
from assay.errors import GuardError
from assay.model import Named
from assay.polling import poll
from assay.probes.kube.client import Kube
from assay.probes.kube.registrations import image_gate
from assay.probes.kube.shapes import Manifest
from assay.proof.source_trees import PlantedTrees
from assay.proof.targets import Targets


if TYPE_CHECKING:
    from assay.writers.kube import KubeWriter
    from assay.writers.s3 import S3Writer
    from assay.writers.talos import TalosWriter
    from assay.writers.vault import VaultWriter

LABEL = "assay.dev/planted"
UNDO = "assay.dev/undo"
LOOK_PERIOD_S = 0.3
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


class Plant:
    """The write handles of a violation, for a lab only.

    Every handle is a context manager: it waits until the change is observed, and undoes it on the way out.
    """

    def __init__(self, profile: Profile, run: str = "") -> None:
        """Plant on the stack of `profile`, under the run id `run`.

        Raises:
            GuardError: the stack is not a lab.
        """
        if not profile.is_lab:
            raise GuardError(
                f"nothing is planted in a {profile.kind} stack",
                'only a profile with kind = "lab" may be proved on',
            )
        self.profile = profile
        self.run = run or f"plant-{secrets.token_hex(4)}"
        self.trees = PlantedTrees(profile.paths)

    @property
    def paths(self) -> Paths:
        """Return the trees as they are now: the profile's, or a planted copy."""
        return self.trees.paths

    @cached_property
    def targets(self) -> Targets:
        """Return what of the lab violations change."""
        return Targets(self.profile)

    @cached_property
    def kube(self) -> KubeWriter:
        """Return the Kubernetes API, write. What it makes directly must carry `plant.labels`."""
        from assay.writers.kube import KubeWriter

        return KubeWriter.from_profile(self.profile)

    @cached_property
    def talos_api(self) -> TalosWriter:
        """Return talosctl with the admin credential."""
        from assay.writers.talos import TalosWriter

        return TalosWriter.from_profile(self.profile)

    @cached_property
    def vault(self) -> VaultWriter:
        """Return Vault, written to with a root token that ends with each use."""
        from assay.writers.vault import VaultWriter

        return VaultWriter.from_profile(self.profile)

    @cached_property
    def s3(self) -> S3Writer:
        """Return the object storage, write, with the operator's key."""
        from assay.writers.s3 import S3Writer

        return S3Writer.from_profile(self.profile)

    @cached_property
    def gated(self) -> dict[str, str]:
        """Return the labels of a namespace that the signature gate looks into."""
        return image_gate(Kube.from_profile(self.profile), self.profile.platform.signatures).inside()

    @property
    def labels(self) -> dict[str, str]:
        """Return the label that marks what this run planted."""
        return {LABEL: self.run}

    # files ----------------------------------------------------------------------------------------

    def copied(self, tree: str) -> AbstractContextManager[Path]:
        """Open a copy of `tree` (infra, talos, gitops, runbook, ...); see PlantedTrees.copied."""
        return self.trees.copied(tree)

    def edited(self, tree: str, file: str, old: str, new: str) -> AbstractContextManager[Path]:
        """Open a copy of `tree` in which the first `old` of `file` became `new`.

        GuardError if it is not there.
        """
        return self.trees.edited(tree, file, old, new)

    def added(self, tree: str, file: str, text: str) -> AbstractContextManager[Path]:
        """Open a copy of `tree` with `text` in a new `file`, or at the end of an existing one."""
        return self.trees.added(tree, file, text)

    def committed(self, file: str, text: str, *, then_removed: bool = False) -> AbstractContextManager[Path]:
        """Open a copy of the repository with `file` committed.

        `then_removed`: present in the history only.
        """
        return self.trees.committed(file, text, then_removed=then_removed)

    def substituted(
        self, tree: str, pattern: str, new: str, files: str = "*"
    ) -> AbstractContextManager[Path]:
        """Open a copy of `tree` in which the first match of a regular expression became `new`.

        See PlantedTrees.substituted.
        """
        return self.trees.substituted(tree, pattern, new, files)

    def located(self, path: Path, at: str | int = "") -> Named:
        """Return how tests name a file of a tree, with the line `at`: its number, or what it holds."""
        return self.trees.located(path, at)

    # Kubernetes -----------------------------------------------------------------------------------

    @contextmanager
    def apply(
        self, manifest: Manifest, ready: Callable[[Manifest], bool] | None = None, within: float = 90
    ) -> Iterator[Named]:
        """Yield the name of an object made from `manifest` once `ready(object)` was observed.

        It is deleted on the way out.

        Args:
            manifest: apiVersion, kind, metadata, ... ; a namespace that does not exist is made as well.
            ready: whether the object, as the API returns it, is as wanted; None: that it is there is enough.
            within: seconds to wait.

        Raises:
            GuardError: the object exists already, or was not observed ready in time.
        """
        meta = manifest["metadata"]
        space = meta.get("namespace", "")
        labelled = {**manifest, "metadata": {**meta, "labels": {**meta.get("labels", {}), **self.labels}}}
        where = (manifest["apiVersion"], manifest["kind"], space, meta["name"])
        with ExitStack() as undo:
            if space and self.kube.get("v1", "Namespace", "", space) is None:
                undo.enter_context(self.namespace(space))
            if self.kube.get(*where) is not None:
                raise GuardError(f"{_name(*where[1:])} exists already", "choose another name")
            undo.callback(self._delete, *where)
            self.kube.apply(labelled)
            self.await_object(*where, ready=ready or bool, within=within)
            yield Named(_name(*where[1:]))

    @contextmanager
    def patched(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Manifest,
        *,
        api_version: str = "v1",
        ready: Callable[[Manifest], bool] | None = None,
        within: float = 90,
    ) -> Iterator[Named]:
        """Yield the name of an existing object after a merge patch.

        The inverse is kept on the object and applied on the way out.

        Raises:
            GuardError: the object is not there, the patch changes nothing, or it was not observed in time.
        """
        where = (api_version, kind, namespace, name)
        found = self.kube.get(*where)
        if found is None:
            raise GuardError(
                f"{_name(*where[1:])} does not exist, nothing planted", "fix the name in the violation"
            )
        back = inverse(found, patch)
        if back == patch:
            raise GuardError(
                f"{_name(*where[1:])} is like that already, nothing planted", "fix the patch in the violation"
            )
        marks = {"labels": self.labels, "annotations": {UNDO: json.dumps(back)}}
        try:
            self.kube.patch(*where, _merged(patch, {"metadata": marks}))
            self.await_object(*where, ready=ready or bool, within=within)
            yield Named(_name(*where[1:]))
        finally:
            self.kube.patch(*where, undo_patch(back))

    @contextmanager
    def namespace(self, name: str, labels: Mapping[str, str] | None = None) -> Iterator[Named]:
        """Yield the name of a new namespace, ready for pods; it and all in it are deleted on the way out.

        `labels` default to those that a namespace needs to break no control: those of `gated`.
        """
        given = dict(self.gated if labels is None else labels)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": given}}
        with self.apply(body, ready=lambda found: _at(found, "status", "phase") == "Active") as ref:
            self.await_object("v1", "ServiceAccount", name, "default", ready=bool)
            yield ref

    @contextmanager
    def pod(
        self,
        path: str,
        *,
        token: bool = False,
        image: str = "",
        spec: Manifest | None = None,
        container: Manifest | None = None,
        labels: Mapping[str, str] | None = None,
        ready: Callable[[Manifest], bool] | None = None,
    ) -> Iterator[Named]:
        """Yield the name of a pod `namespace/name` that breaks no control except by what is asked.

        Args:
            path: `namespace/name`; the namespace is made if it does not exist.
            token: mount the service account's token.
            image: default: the profile's signed sample.
            spec: merged over the pod's spec.
            container: merged over its only container.
            labels: of the pod.
            ready: default: the API lists it.
        """
        space, _, name = path.partition("/")
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": space, "name": name, "labels": dict(labels or {})},
        }
        with self.apply(
            {**body, "spec": self.pod_spec(image, token=token, spec=spec, container=container)}, ready
        ) as ref:
            yield ref

    def pod_spec(
        self,
        image: str = "",
        *,
        token: bool = False,
        spec: Manifest | None = None,
        container: Manifest | None = None,
    ) -> Manifest:
        """Return a pod spec that breaks no control: restricted, Guaranteed, signed image.

        `spec` and `container` are merged over it.
        """
        share = {"cpu": "10m", "memory": "16Mi"}
        only = {
            "name": "planted",
            "image": image or self.profile.need_text("samples.signed"),
            "securityContext": RESTRICTED,
            "resources": {"requests": share, "limits": share},
        }
        harmless = {
            "automountServiceAccountToken": token,
            "terminationGracePeriodSeconds": 0,
            "containers": [_merged(only, container or {})],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
        return _merged(harmless, spec or {})

    def await_object(
        self,
        api_version: str,
        kind: str,
        namespace: str,
        name: str,
        *,
        ready: Callable[[Manifest], bool],
        within: float = 90,
    ) -> Manifest:
        """Return the object once `ready(object)` holds.

        Raises:
            GuardError: it did not in `within` seconds.
        """

        def observed() -> Manifest | None:
            found = self.kube.get(api_version, kind, namespace, name)
            return found if found is not None and ready(found) else None

        if (found := poll(observed, within, LOOK_PERIOD_S)) is not None:
            return found
        raise GuardError(
            f"{_name(kind, namespace, name)} was planted but not observed in {within:.0f} s",
            "nothing was proved",
        )

    def await_true(self, holds: Callable[[], bool], what: str, within: float = 90) -> None:
        """Return once `holds()`; it may ask anything of the platform.

        Raises:
            GuardError: `what` was not observed in `within` seconds.
        """
        if not poll(holds, within, LOOK_PERIOD_S):
            raise GuardError(f"{what}: not observed in {within:.0f} s", "nothing was proved")

    def _delete(self, api_version: str, kind: str, namespace: str, name: str, within: float = 90) -> None:
        self.kube.delete(api_version, kind, namespace, name)
        gone = f"{_name(kind, namespace, name)} going away"
        self.await_true(lambda: self.kube.get(api_version, kind, namespace, name) is None, gone, within)

    # cleaning up ---------------------------------------------------------------------------------

    def sweep(self) -> list[str]:
        """Undo everything that an earlier run planted and left behind, and return the names.

        Only the run that holds the lock of the stack may call it.
        """
        left = sorted(self.kube.labelled(LABEL), key=lambda found: found["kind"] == "Namespace")
        for found in left:
            self._sweep_one(found)
        return [_name(*_where(found)[1:]) for found in left]

    def _sweep_one(self, found: Manifest) -> None:
        undo = _at(found, "metadata", "annotations", UNDO)
        if undo:
            self.kube.patch(*_where(found), undo_patch(json.loads(undo)))
        else:
            self._delete(*_where(found), within=180)


def inverse(found: object, patch: Manifest) -> Manifest:
    """Return the merge patch that undoes `patch` on `found`.

    The old value of every leaf, None where there was none.
    """
    before = found if isinstance(found, Mapping) else {}
    return {
        key: inverse(before[key], value)
        if isinstance(value, dict) and isinstance(before.get(key), Mapping)
        else before.get(key)
        for key, value in patch.items()
    }


def undo_patch(back: Manifest) -> Manifest:
    """Return `back` with the label and the annotation of the plant removed."""
    return _merged({"metadata": {"labels": {LABEL: None}, "annotations": {UNDO: None}}}, back)


def _merged(under: Manifest, over: Manifest) -> Manifest:
    both = dict(under)
    for key, value in over.items():
        mine = both.get(key)
        both[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return both


def _at(found: Manifest, *keys: str) -> Any:  # noqa: ANN401 - a manifest holds anything
    value: Any = found
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _where(found: Manifest) -> tuple[str, str, str, str]:
    meta = found["metadata"]
    return found["apiVersion"], found["kind"], meta.get("namespace", ""), meta["name"]


def _name(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
