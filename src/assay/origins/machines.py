"""Where a machine configuration of Talos holds secrets, and how far the origin of each is shown. Pure judgement.

The places are those that Talos itself blanks when it shows a configuration (`Redact`, version 1.13), and what
its schema lets anybody write freely. A value is never seen here, only marks of it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assay.errors import AssumptionError
from assay.origins.levels import CLASSIFIED, DECLARED, EQUAL, NOTHING, ProvenanceStep
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
        mark: of its value.
    """

    machine: str
    place: str
    why: str
    mark: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Return the place without numbers of lists."""
        return without_indices(self.place)


@dataclass(frozen=True, slots=True)
class EncryptedConfig:
    """An encrypted file that configurations are made of: path -> marks of the values that it has there."""

    where: str
    marks: Mapping[str, frozenset[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class MachineExemption:
    """A secret of machines that is neither Vault's nor SOPS': `machine glob|path glob=reason` of a policy."""

    machine: str
    path: str
    reason: str

    @classmethod
    def read(cls, entry: str) -> MachineExemption:
        """Return the parsed entry.

        Raises:
            AssumptionError: it is not written so.
        """
        left, _, reason = entry.partition("=")
        machine, _, path = left.partition("|")
        if not (reason and machine and path) or "|" in path:
            raise AssumptionError(
                f"{entry!r} is no `machine glob|path glob=reason`", "mend the policy's list"
            )
        return cls(machine, path, reason)

    def fits(self, one: MachineSecret) -> bool:
        """Return whether it is for this secret."""
        return fnmatch.fnmatchcase(one.machine, self.machine) and fnmatch.fnmatchcase(one.path, self.path)


def classify_machines(
    carried: Iterable[MachineSecret], written: Sequence[EncryptedConfig], exempt: Sequence[MachineExemption]
) -> list[ProvenanceStep]:
    """Return how far the origin of each secret is proven, in the order of the secrets."""
    return [_step(one, written, exempt) for one in carried]


def _step(
    one: MachineSecret, written: Sequence[EncryptedConfig], exempt: Sequence[MachineExemption]
) -> ProvenanceStep:
    ref = f"Machine {one.machine}"
    said = [file for file in written if one.path in file.marks]
    equal = next(
        (file for file in said if any(same_fingerprint(mark, one.mark) for mark in file.marks[one.path])),
        None,
    )
    rule = next((rule for rule in exempt if rule.fits(one)), None)
    if equal is not None:
        return ProvenanceStep(ref, "", one.place, EQUAL, f"SOPS {equal.where}", owner=ref)
    if said:
        why = "its value is not the file's"
        return ProvenanceStep(ref, "", one.place, DECLARED, f"SOPS {said[0].where}", why, ref)
    if rule is not None:
        return ProvenanceStep(ref, "", one.place, CLASSIFIED, rule.reason, owner=ref)
    return ProvenanceStep(ref, "", one.place, NOTHING, "", f"{one.why}, and no SOPS file has it", ref)
