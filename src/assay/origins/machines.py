"""Where a machine configuration of Talos holds secrets, and how far the origin of each is shown. Pure judgement.

The places are those that Talos itself blanks when it shows a configuration (`Redact`, version 1.13), and what
its schema lets anybody write freely. A value is never seen here, only fingerprints of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assay.config.platform import MachineSecretExemption
from assay.origins.levels import CLASSIFIED, DECLARED, EQUAL, NOTHING, KeyProvenance
from assay.secretscan.fingerprint import same_fingerprint
from assay.secretscan.machine_places import without_indices


# What `talosctl gen secrets` writes, and where a configuration made of it has the same value.
PAIRS = (
    ("cluster.secret", "cluster.secret"),
    ("secrets.bootstraptoken", "cluster.token"),
    ("secrets.secretboxencryptionsecret", "cluster.secretboxEncryptionSecret"),
    ("secrets.aescbcencryptionsecret", "cluster.aescbcEncryptionSecret"),
    ("trustdinfo.token", "machine.token"),
    ("certs.etcd.key", "cluster.etcd.ca.key"),
    ("certs.k8s.key", "cluster.ca.key"),
    ("certs.k8saggregator.key", "cluster.aggregatorCA.key"),
    ("certs.k8sserviceaccount.key", "cluster.serviceAccount.key"),
    ("certs.os.key", "machine.ca.key"),
)
BUNDLE = dict(PAIRS)


@dataclass(frozen=True, slots=True)
class MachineSecret:
    """One secret in the configuration that a machine runs.

    Attributes:
        machine: the machine's name.
        place: where it stands, `machine.files[0].content`.
        why: why it is a secret.
        fingerprint: of its value.
    """

    machine: str
    place: str
    why: str
    fingerprint: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Return the place without numbers of lists."""
        return without_indices(self.place)


@dataclass(frozen=True, slots=True)
class EncryptedConfig:
    """An encrypted file that configurations are made of: path -> fingerprints of the values that it has there."""

    where: str
    fingerprints: Mapping[str, frozenset[bytes]] = field(repr=False)


def classify_machines(
    secrets: Iterable[MachineSecret],
    files: Sequence[EncryptedConfig],
    exemptions: Sequence[MachineSecretExemption],
) -> list[KeyProvenance]:
    """Return how far the origin of each secret is proven, in the order of the secrets."""
    return [_classified(one, files, exemptions) for one in secrets]


def _classified(
    one: MachineSecret, files: Sequence[EncryptedConfig], exemptions: Sequence[MachineSecretExemption]
) -> KeyProvenance:
    ref = f"Machine {one.machine}"
    declaring = [file for file in files if one.path in file.fingerprints]
    equal = next(
        (
            file
            for file in declaring
            if any(same_fingerprint(known, one.fingerprint) for known in file.fingerprints[one.path])
        ),
        None,
    )
    rule = next((rule for rule in exemptions if rule.covers(one.machine, one.path)), None)
    if equal is not None:
        return KeyProvenance(ref, "", one.place, EQUAL, f"SOPS {equal.where}", owner=ref)
    if declaring:
        why = "its value is not the file's"
        return KeyProvenance(ref, "", one.place, DECLARED, f"SOPS {declaring[0].where}", why, ref)
    if rule is not None:
        return KeyProvenance(ref, "", one.place, CLASSIFIED, rule.reason, owner=ref)
    return KeyProvenance(ref, "", one.place, NOTHING, "", f"{one.why}, and no SOPS file has it", ref)
