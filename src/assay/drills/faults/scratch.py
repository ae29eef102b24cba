"""Where restores beside the old service happen, and the driver that sees that nothing of one is there.

A restore that ends, however it ends, must leave no second service with the data of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.config.profile import Profile
from assay.drills.engine.clock import await_true, now
from assay.errors import GuardError
from assay.probes.kube.client import Kube
from assay.probes.vault.client import Vault
from assay.writers.vault import VaultWriter


GONE = 120.0
# Answers to a deletion that mean: it is gone, or going.
ABSENT = (404, 409)


@dataclass(frozen=True, slots=True)
class ScratchTarget:
    """What is restored where.

    Attributes:
        service: `vault`, `postgres`.
        section: the runbook's heading.
        space: the scratch namespace, which the runbook names.
        parts: folders of the overlay, beside the service's own, whose images the restore starts.
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
PLACES: Mapping[str, ScratchTarget] = {place.service: place for place in (POSTGRES, VAULT)}


class ScratchNamespaces:
    """Sweeps the place of a restore; a target is the service's name."""

    def __init__(self, profile: Profile) -> None:
        """Sweep in the lab of `profile`.

        Raises:
            ProbeError: it says nothing of the cluster.
        """
        self._profile, self._wire = profile, Kube.from_profile(profile).wire

    def inject(self, target: str) -> float:
        """Make room: take away what an earlier restore left.

        Raises:
            GuardError: it does not go away, or no such service is restored beside.
            ProbeError: the cluster cannot be asked, or denies it.
        """
        self.ensure_undone(target)
        return now()

    def ensure_undone(self, target: str) -> None:
        """Take away what the restore made, and the drill's entries of the old Vault; as for `inject`."""
        place = _place(target)
        for one in place.made:
            reply = self._wire.ask("DELETE", one)
            if reply.status not in ABSENT:
                self._wire.need(reply, "DELETE", one)
        await_true(lambda: self.is_undone(target), f"Namespace {place.space} gone", GONE, every_s=1.0)
        if place.ledger:
            self._forget(place.ledger)

    def is_undone(self, target: str) -> bool:
        """Return whether all that the restore made is gone; errors as for `inject`."""
        return all(self._wire.ask("GET", one).status == 404 for one in _place(target).made)

    def by_hand(self, target: str) -> str:
        """Return the command that deletes the scratch namespace; errors as for `inject`."""
        return f"kubectl delete namespace {_place(target).space}"

    def _forget(self, folder: str) -> None:
        old = Vault.from_profile(self._profile)
        if left := [one for one in old.entries() if one.startswith(folder)]:
            with VaultWriter.from_profile(self._profile).root() as door:
                for one in left:
                    door.need("delete", f"{old.mount}/metadata/{one}")


def _place(target: str) -> ScratchTarget:
    if target not in PLACES:
        raise GuardError(f"{target} is not restored beside the old one", "assay drill plan lists the drills")
    return PLACES[target]
