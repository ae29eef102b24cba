"""The driver that removes what a restore into a scratch namespace made; a target is the namespace's name.

A restore must leave no second service with the data of the first, however it ends. Only a namespace that is
labelled as a place for restores is ever removed.
"""

from __future__ import annotations

from assay.config.profile import Profile
from assay.drills.engine.clock import await_true, now
from assay.effect import Effect
from assay.errors import GuardError
from assay.formats.parsing import parsing
from assay.probes.kube.client import Kube


LABEL = "assay.dev/restore-target"
GONE_TIMEOUT_S = 120.0
BINDINGS, BINDINGS_VERSION = "ClusterRoleBinding", "rbac.authorization.k8s.io/v1"
# Answers to a deletion that mean: it is gone, or going.
ABSENT = (404, 409)


class ScratchNamespaces:
    """Removes scratch namespaces, and the cluster role bindings that are for nobody outside of them."""

    def __init__(self, profile: Profile) -> None:
        """Remove them from the stack of `profile`.

        Raises:
            ProbeError: it says nothing of the cluster.
        """
        self._kube = Kube.from_profile(profile, Effect.DISRUPTS)

    def inject(self, target: str) -> float:
        """Remove what an earlier restore left.

        Raises:
            GuardError: the namespace is not a place for restores, or does not go away.
            ProbeError: the cluster cannot be asked, or denies it.
        """
        self.ensure_undone(target)
        return now()

    def ensure_undone(self, target: str) -> None:
        """Remove what the restore made; errors as for `inject`."""
        space, wire = f"/api/v1/namespaces/{target}", self._kube.wire
        found = wire.ask("GET", space)
        if found.status != 404 and not labelled(wire.need(found, "GET", space).body):
            raise GuardError(
                f"Namespace {target} is not a place for restores: nothing in it is touched",
                f'restore into another one; only one with the label {LABEL}: "true" is emptied',
            )
        for path in (*self._bindings(target), space):
            reply = wire.ask("DELETE", path)
            if reply.status not in ABSENT:
                wire.need(reply, "DELETE", path)
        await_true(lambda: self.is_undone(target), f"Namespace {target} gone", GONE_TIMEOUT_S, every_s=1.0)

    def is_undone(self, target: str) -> bool:
        """Return whether all that the restore made is gone; errors as for `inject`."""
        gone = self._kube.wire.ask("GET", f"/api/v1/namespaces/{target}").status == 404
        return gone and not self._bindings(target)

    def by_hand(self, target: str) -> str:
        """Return the command that deletes the scratch namespace."""
        return f"kubectl delete namespace {target}"

    @parsing("the cluster role bindings")
    def _bindings(self, target: str) -> list[str]:
        """Return the paths of the bindings all of whose subjects are service accounts of the namespace."""
        rows = self._kube.objects(BINDINGS, version=BINDINGS_VERSION)
        return [
            f"/apis/{BINDINGS_VERSION}/clusterrolebindings/{row['metadata']['name']}"
            for row in rows
            if (subjects := row.get("subjects")) and all(one.get("namespace") == target for one in subjects)
        ]


@parsing("a namespace")
def labelled(namespace: object) -> bool:
    """Return whether a namespace, as the API or a manifest has it, is labelled as a place for restores."""
    meta = namespace["metadata"] if isinstance(namespace, dict) else {}
    return bool((meta.get("labels") or {}).get(LABEL) == "true")
