"""Where every value of a running cluster comes from: Secrets key by key, and everything that is no Secret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from assay.model import Offender
from assay.probes import kube_leaves, kube_secrets
from assay.probes.kube import Kube
from assay.probes.sops import Sops
from assay.probes.vault import Vault
from assay.provenance.ladder import CLASSIFIED, NOTHING, Held, Neither, Sources, Step, Synced, climb
from assay.provenance.marks import Marker


@dataclass
class Origins:
    """One look at a cluster and at its sources; values are compared as marks that end with this object."""

    kube: Kube
    vault: Vault
    sops: Sops
    marker: Marker = field(default_factory=Marker)

    @cached_property
    def synced(self) -> list[Synced]:
        """Return every ExternalSecret.

        Raises:
            ProbeError: the list is denied or not whole.
        """
        return kube_secrets.synced(self.kube)

    @cached_property
    def held(self) -> list[Held]:
        """Return every Secret.

        Raises:
            ProbeError: the list is denied or not whole.
        """
        return kube_secrets.held(self.kube, self.marker, kube_secrets.templates(self.synced))

    def steps(self, neither: Iterable[str], deployer: str) -> list[Step]:
        """Return how far the origin of each data key of each Secret is shown.

        Args:
            neither: what controllers make for themselves, `name glob|type|writer=reason`.
            deployer: the field manager of whoever deploys what is in Git.

        Raises:
            ProbeError: the cluster, Vault or a file cannot be read.
        """
        paths = sorted({path for one in self.synced for path in one.paths if one.provider == "vault"})
        known = set(self.vault.entries()) if paths else set()
        entries = {path: self.vault.entry(path, self.marker.key).digests for path in paths if path in known}
        rules = [Neither.read(entry) for entry in neither]
        return climb(self.held, Sources(self.synced, self.sops.filed(self.marker), entries, rules, deployer))

    def elsewhere(self) -> tuple[list[Offender], int, int]:
        """Return every place outside of Secrets that holds a secret; how many texts, in how many objects.

        Raises:
            ProbeError: a list is denied or not whole.
        """
        private = frozenset[bytes]().union(*(one.private for one in self.held))
        leaves, objects = kube_leaves.leaves(self.kube)
        leaves += kube_leaves.annotated(self.held)
        return kube_leaves.faults(leaves, self.marker, private), len(leaves), objects


def by_namespace(steps: Sequence[Step]) -> dict[str, str]:
    """Return namespace -> how many keys reached which rung, from which sources, in words."""
    found: dict[str, str] = {}
    for space in sorted({step.space for step in steps}):
        reached = Counter((step.rung, step.source.partition(" ")[0]) for step in steps if step.space == space)
        found[space] = ", ".join(
            f"{count} {rung}{f' from {source}' if rung not in (NOTHING, CLASSIFIED) else ''}"
            for (rung, source), count in sorted(reached.items(), reverse=True)
        )
    return found
