"""Where every value of a running cluster comes from (ACC-04). Read this page first.

1. `secret_keys`: each data key of each Secret is traced to an ExternalSecret and so to Vault, to a SOPS file in
   Git, or to a controller that makes it for itself. `levels` says how far each trace is proven.
2. `machine_secrets` and `machine_keys`: the same for the secrets in the machines' configurations.
3. `objects` and `leaks`: every other text of the cluster is searched, for what is secret by itself and for copies
   of the values of 1 and 2.

Values are compared as fingerprints under a key that ends with this object. No value leaves the modules that read
it: `kube_secrets`, `talos_secrets`, `sops_secrets`, `probes.vault`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from assay.config.platform import ControllerSecret, Platform, PublicText
from assay.gaps import Gaps
from assay.model import Offender
from assay.origins import external_secrets, helm_record, kube_leaves, kube_secrets, talos_secrets
from assay.origins.kube_leaves import ObjectTexts
from assay.origins.levels import KeyProvenance, classify_secrets
from assay.origins.machines import MachineSecret, classify_machines
from assay.origins.makers import made_secrets
from assay.origins.sops_secrets import encrypted_configs, sops_secrets
from assay.origins.sources import ExternalSecretSpec, SecretObject, Sources
from assay.origins.vault_operator import vault_static_secrets
from assay.probes.kube.client import Kube
from assay.probes.sops.client import Sops
from assay.probes.talos.facts import Machine
from assay.probes.talos.read import Missing, Talos
from assay.probes.vault.client import Vault
from assay.secretscan.fingerprint import Fingerprinter
from assay.secretscan.leaves import leaf_faults


@dataclass
class Origins:
    """One look at a cluster and at its sources; `vault` is made only where something reads from it."""

    kube: Kube
    vault: Callable[[], Vault]
    sops: Sops
    platform: Platform
    mount: str = "kv"
    fingerprinter: Fingerprinter = field(default_factory=Fingerprinter)

    @property
    def gaps(self) -> Gaps:
        """Return what of SOPS' files could not be read."""
        return self.sops.gaps

    @cached_property
    def external_secrets(self) -> list[ExternalSecretSpec]:
        """Return every ExternalSecret and every VaultStaticSecret.

        Raises:
            ProbeError: a list is denied or not whole.
        """
        declared = external_secrets.external_secret_specs(self.kube, self.mount)
        return [*declared, *vault_static_secrets(self.kube)]

    @cached_property
    def secrets(self) -> list[SecretObject]:
        """Return every Secret.

        Raises:
            ProbeError: the list is denied or not whole.
        """
        templates = external_secrets.templates(self.external_secrets)
        return kube_secrets.secret_objects(self.kube, self.fingerprinter, templates)

    def secret_keys(self, controllers: Sequence[ControllerSecret]) -> list[KeyProvenance]:
        """Return how far the origin of each data key of each Secret is proven.

        Args:
            controllers: what controllers of any platform make for themselves; the profile's come on top.

        Raises:
            ProbeError: the cluster, Vault or a file cannot be read.
        """
        secrets = self.secrets  # before the sources: what changes in between is newer than the last look
        entries, written = self._entries()
        sources = Sources(
            external=self.external_secrets,
            sops=sops_secrets(self.sops, self.fingerprinter),
            entries=entries,
            controllers=(*self.platform.controller_secrets, *controllers),
            deployers=self.platform.deployer,
            written=written,
            made=made_secrets(self.kube),
        )
        return classify_secrets(secrets, sources)

    def _entries(self) -> tuple[dict[str, dict[str, str]], dict[str, float]]:
        """Return path in Vault -> (property -> fingerprint), and path -> when it was written, of all that is read."""
        wanted = {path for one in self.external_secrets for path in one.paths if one.provider == "vault"}
        if not wanted:
            return {}, {}
        entries, written = dict[str, dict[str, str]](), dict[str, float]()
        for mount, vault in self._mounts(wanted).items():
            known = set(vault.entries())
            for path in sorted(one for one in wanted if one.removeprefix(f"{mount}/") in known):
                entry = vault.entry(path.removeprefix(f"{mount}/"), self.fingerprinter.key)
                entries[path], written[path] = dict(entry.digests), entry.created.timestamp()
        return entries, written

    def _mounts(self, paths: Iterable[str]) -> dict[str, Vault]:
        """Return mount -> Vault with that mount, of the mounts that paths begin with."""
        vault = self.vault()
        known = sorted((one.rstrip("/") for one in vault.mounts()), key=len, reverse=True)
        used = {next((one for one in known if path.startswith(f"{one}/")), "") for path in paths} - {""}
        return {mount: vault.at_mount(mount) for mount in sorted(used)}

    def machine_secrets(
        self, talos: Talos, machines: Iterable[Machine], unread: Missing
    ) -> list[MachineSecret]:
        """Return every secret in the configuration that each machine runs.

        Args:
            talos: the machines' API.
            machines: which to ask.
            unread: is handed each machine that does not answer, and why.
        """
        distinctive = self._distinctive
        return [
            one
            for machine, documents in talos.each(machines, talos.machineconfig, unread)
            for one in talos_secrets.machine_secrets(machine.name, documents, self.fingerprinter, distinctive)
        ]

    def machine_keys(self, secrets: Iterable[MachineSecret]) -> list[KeyProvenance]:
        """Return how far the origin of each secret of the machines is proven.

        Raises:
            ProbeError: an encrypted file does not open.
        """
        files = encrypted_configs(self.sops, self.fingerprinter)
        return classify_machines(secrets, files, self.platform.machine_secrets)

    def objects(self) -> list[ObjectTexts]:
        """Return the texts of everything that is not the value of a Secret: objects, annotations, Helm's records.

        Raises:
            ProbeError: a list is denied or not whole.
        """
        annotated = kube_leaves.annotation_texts(self.secrets)
        return [*kube_leaves.object_texts(self.kube), *annotated, *helm_record.record_texts(self.kube)]

    def leaks(
        self, objects: Iterable[ObjectTexts], machines: Iterable[MachineSecret], public: Iterable[PublicText]
    ) -> list[Offender]:
        """Return every text that is a secret or holds a copy of one, and every record that does not open.

        Args:
            objects: where to look.
            machines: secrets whose copies are looked for, beside those of the Secrets.
            public: texts that everybody may read, on any platform; the profile's come on top.
        """
        known = self._distinctive | {one.fingerprint for one in machines}
        shown = frozenset((one.kind, one.path) for one in (*public, *self.platform.public_texts))
        return [
            leak
            for one in objects
            for leak in (one.closed or leaf_faults(one.texts, self.fingerprinter, known, shown))
        ]

    @cached_property
    def _distinctive(self) -> frozenset[bytes]:
        return frozenset[bytes]().union(*(one.distinctive for one in self.secrets))


def by_owner(keys: Iterable[KeyProvenance]) -> dict[str, str]:
    """Return `namespace: owner` -> how many keys reached which level, and what would raise them, in words."""
    owned: dict[str, list[KeyProvenance]] = {}
    for one in sorted(keys, key=lambda key: (key.space, key.owner)):
        owned.setdefault(f"{one.space}: {one.owner}" if one.space else one.owner, []).append(one)
    return {owner: _summed(found) for owner, found in owned.items()}


def _summed(keys: Sequence[KeyProvenance]) -> str:
    reached = sorted(Counter(one.level for one in keys).items(), reverse=True)
    raising: dict[str, list[str]] = {}
    for one in sorted(keys, key=lambda key: key.proven):
        raising.setdefault(one.next_level, []).extend([] if one.proven else [one.key])
    words = [f"{what} ({', '.join(names)})" if names else what for what, names in raising.items()]
    return "; ".join([", ".join(f"{count} {level}" for level, count in reached), *words])
