"""Where restores into a scratch namespace happen, and the driver that removes what one made.

A restore must leave no second service with the data of the first, however it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.config.profile import Profile
from assay.drills.engine.clock import await_true, now
from assay.effect import Effect
from assay.errors import GuardError
from assay.probes.kube.client import Kube
from assay.probes.vault.client import Vault
from assay.writers.vault import drill_connection


GONE_TIMEOUT_S = 120.0
# Answers to a deletion that mean: it is gone, or going.
ABSENT = (404, 409)


@dataclass(frozen=True, slots=True)
class ScratchTarget:
    """What is restored where.

    Attributes:
        service: `vault`, `postgres`.
        section: the runbook's heading.
        space: the scratch namespace, which the runbook names.
        parts: folders of the overlay whose images the restore starts too; the service's own is always one.
        outside: paths of what the restore makes outside of its namespace.
        ledger: how the folders in the old Vault begin in which the drill's own entries lie.
    """

    service: str
    section: str
    space: str
    parts: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    ledger: str = ""

    @property
    def ref(self) -> str:
        """Return `Restore service`: what is named where no line of the runbook is to blame."""
        return f"Restore {self.service}"

    @property
    def made(self) -> tuple[str, ...]:
        """Return where the API has what the restore makes, the scratch namespace last."""
        return (*self.outside, f"/api/v1/namespaces/{self.space}")


BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
POSTGRES = ScratchTarget("postgres", "Restore PostgreSQL", "postgres-restored")
VAULT = ScratchTarget(
    "vault", "Restore Vault", "vault-restored", ("vault_snapshots",),
    (f"{BINDINGS}/vault-restored-token-review",), "assay-drill-",
)  # fmt: skip
TARGETS: Mapping[str, ScratchTarget] = {one.service: one for one in (POSTGRES, VAULT)}


class ScratchNamespaces:
    """Removes what a restore made; a target is the service's name."""

    def __init__(self, profile: Profile) -> None:
        """Remove it from the stack of `profile`.

        Raises:
            ProbeError: it says nothing of the cluster.
        """
        self._profile, self._wire = profile, Kube.from_profile(profile, Effect.DISRUPTS).wire

    def inject(self, target: str) -> float:
        """Remove what an earlier restore left.

        Raises:
            GuardError: it does not go away, or no such service is restored into a scratch namespace.
            ProbeError: the cluster cannot be asked, or denies it.
        """
        self.ensure_undone(target)
        return now()

    def ensure_undone(self, target: str) -> None:
        """Remove what the restore made, and the drill's entries in the old Vault; errors as for `inject`."""
        scratch = _scratch(target)
        for one in scratch.made:
            reply = self._wire.ask("DELETE", one)
            if reply.status not in ABSENT:
                self._wire.need(reply, "DELETE", one)
        await_true(
            lambda: self.is_undone(target), f"Namespace {scratch.space} gone", GONE_TIMEOUT_S, every_s=1.0
        )
        if scratch.ledger:
            self._forget(scratch.ledger)

    def is_undone(self, target: str) -> bool:
        """Return whether all that the restore made is gone; errors as for `inject`."""
        return all(self._wire.ask("GET", one).status == 404 for one in _scratch(target).made)

    def by_hand(self, target: str) -> str:
        """Return the command that deletes the scratch namespace; errors as for `inject`."""
        return f"kubectl delete namespace {_scratch(target).space}"

    def _forget(self, folder: str) -> None:
        old = Vault.from_profile(self._profile)
        if left := [one for one in old.entries() if one.startswith(folder)]:
            vault = drill_connection(self._profile)
            for one in left:
                vault.need("delete", f"{old.mount}/metadata/{one}")


def _scratch(target: str) -> ScratchTarget:
    if target not in TARGETS:
        raise GuardError(
            f"{target} is not restored into a scratch namespace", "assay drill plan lists the drills"
        )
    return TARGETS[target]
