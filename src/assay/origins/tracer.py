"""Where every value of a running cluster comes from: Secrets key by key, and everything that is no Secret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from assay.model import Offender
from assay.origins import external_secrets, helm_record, kube_leaves, kube_secrets, talos_secrets
from assay.origins.levels import (
    ControllerOwned,
    ExternalSecretSpec,
    ProvenanceStep,
    SecretObject,
    Sources,
    classify_secrets,
)
from assay.origins.machines import MachineExemption, MachineSecret, classify_machines
from assay.origins.sops_secrets import encrypted_configs, sops_secrets
from assay.probes.kube.client import Kube
from assay.probes.sops.client import Sops
from assay.probes.talos.read import Talos
from assay.probes.vault.client import Vault
from assay.secretscan.fingerprint import Fingerprinter
from assay.secretscan.leaves import PublicText, leaf_faults


@dataclass
class Origins:
    """One look at a cluster and at its sources; values are compared as marks that end with this object."""

    kube: Kube
    vault: Vault
    sops: Sops
    marker: Fingerprinter = field(default_factory=Fingerprinter)

    @cached_property
    def synced(self) -> list[ExternalSecretSpec]:
        """Return every ExternalSecret.

        Raises:
            ProbeError: the list is denied or not whole.
        """
        return external_secrets.external_secret_specs(self.kube, self.vault.mount)

    @cached_property
    def held(self) -> list[SecretObject]:
        """Return every Secret.

        Raises:
            ProbeError: the list is denied or not whole.
        """
        return kube_secrets.secret_objects(self.kube, self.marker, external_secrets.templates(self.synced))

    def steps(self, neither: Iterable[str], deployer: str) -> list[ProvenanceStep]:
        """Return how far the origin of each data key of each Secret is shown.

        Args:
            neither: what controllers make for themselves, `name glob|type|writer=reason`.
            deployer: the field manager of whoever deploys what is in Git.

        Raises:
            ProbeError: the cluster, Vault or a file cannot be read.
        """
        helds = self.held  # before the sources: what changes in between is newer than the last look
        paths = sorted({path for one in self.synced for path in one.paths if one.provider == "vault"})
        known = set(self.vault.entries()) if paths else set()
        read = [self.vault.entry(path, self.marker.key) for path in paths if path in known]
        entries = {one.path: one.digests for one in read}
        written = {one.path: one.created.timestamp() for one in read}
        rules, files = (
            [ControllerOwned.read(entry) for entry in neither],
            sops_secrets(self.sops, self.marker),
        )
        return classify_secrets(helds, Sources(self.synced, files, entries, rules, deployer, written))

    def carried(self, talos: Talos) -> list[MachineSecret]:
        """Return every secret in the configuration that each machine runs.

        Raises:
            ProbeError: a machine does not answer, or the credential may not read its configuration.
        """
        private = self._private
        return [
            one
            for machine in talos.machines
            for one in talos_secrets.machine_secrets(
                machine.name, talos.machineconfig(machine), self.marker, private
            )
        ]

    def machine_steps(self, carried: Iterable[MachineSecret], exempt: Iterable[str]) -> list[ProvenanceStep]:
        """Return how far the origin of each secret of the machines is shown.

        Args:
            carried: what the machines run.
            exempt: what is neither Vault's nor SOPS', `machine glob|path glob=reason`.

        Raises:
            ProbeError: an encrypted file does not open.
        """
        rules = [MachineExemption.read(entry) for entry in exempt]
        return classify_machines(carried, encrypted_configs(self.sops, self.marker), rules)

    @cached_property
    def _private(self) -> frozenset[bytes]:
        return frozenset[bytes]().union(*(one.private for one in self.held))

    def elsewhere(
        self, carried: Iterable[MachineSecret], public: Iterable[str]
    ) -> tuple[list[Offender], int, int]:
        """Return every place outside of Secrets that holds a secret; how many texts, in how many objects.

        Args:
            carried: secrets of machines, whose copies are looked for too.
            public: texts that are made for everybody to read, `Kind|path=reason`.

        Raises:
            ProbeError: a list is denied or not whole.
        """
        private = self._private | {one.mark for one in carried}
        leaves, objects = kube_leaves.object_texts(self.kube)
        releases, shut = helm_record.record_texts(self.kube)
        leaves += [*kube_leaves.annotated(self.held), *releases]
        shown = frozenset(map(PublicText.read, public))
        return [*shut, *leaf_faults(leaves, self.marker, private, shown)], len(leaves), objects


def by_owner(steps: Iterable[ProvenanceStep]) -> dict[str, str]:
    """Return `namespace: owner` -> how many keys reached which rung, and what would raise them, in words."""
    whose: dict[str, list[ProvenanceStep]] = {}
    for step in sorted(steps, key=lambda one: (one.space, one.owner)):
        whose.setdefault(f"{step.space}: {step.owner}" if step.space else step.owner, []).append(step)
    return {owner: _summed(found) for owner, found in whose.items()}


def _summed(steps: Sequence[ProvenanceStep]) -> str:
    reached = sorted(Counter(step.rung for step in steps).items(), reverse=True)
    above: dict[str, list[str]] = {}
    for step in sorted(steps, key=lambda one: one.proven):
        above.setdefault(step.above, []).extend([] if step.proven else [step.key])
    words = [f"{what} ({', '.join(keys)})" if keys else what for what, keys in above.items()]
    return "; ".join([", ".join(f"{count} {rung}" for rung, count in reached), *words])
