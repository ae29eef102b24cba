"""The drills: what each does to a stack, how that is put back, which control judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DrillSpec:
    """One drill.

    Attributes:
        name: as it is asked for.
        control: the control whose test carries it out and judges it.
        impact: what it does to the stack.
        rollback: how that is put back.
        minutes: how long it takes on the lab.
        systems: what it asks, by the sections of the profile; what stands in for one is recorded.
        lab_only: no approval allows it elsewhere.
    """

    name: str
    control: str
    impact: str
    rollback: str
    minutes: int
    systems: frozenset[str]
    lab_only: bool = False


CONTROL_PLANES = DrillSpec(
    "control-planes", "ACC-09", "every control plane loses power once, the etcd leader's first",
    "each is started again on its disks before the next one loses power", 5,
    frozenset({"drill", "kube", "talos"}),
)  # fmt: skip
ETCD = DrillSpec(
    "etcd", "DR-03", "all control planes lose their disks together",
    "the runbook restores etcd; if that fails, the old disks come back", 4,
    frozenset({"drill", "kube", "talos", "s3"}), lab_only=True,
)  # fmt: skip
POSTGRES = DrillSpec(
    "postgres", "DR-01", "nothing is lost: a database is restored twice, into a scratch namespace",
    "the scratch namespace is deleted", 2, frozenset({"kube", "s3", "sql", "api"}),
)  # fmt: skip
OLDEST_POSTGRES = DrillSpec(
    "postgres-oldest", "DR-08",
    "nothing is lost: a database is restored from its oldest base backup, into a scratch namespace",
    "the scratch namespace is deleted", 3, frozenset({"kube", "s3", "sql", "api"}),
)  # fmt: skip
VAULT = DrillSpec(
    "vault", "ACC-07", "nothing is lost: a Vault is restored into a scratch namespace",
    "the scratch namespace is deleted, and the drill's own entries in the old Vault", 1,
    frozenset({"kube", "s3", "vault"}),
)  # fmt: skip
ROTATION = DrillSpec(
    "rotation", "SEC-26", "the password of a login without rights is changed, at the source only",
    "none is needed: the login keeps its new password", 2, frozenset({"kube", "vault"}),
)  # fmt: skip
DRILLS: Mapping[str, DrillSpec] = {
    one.name: one for one in (CONTROL_PLANES, ETCD, POSTGRES, OLDEST_POSTGRES, VAULT, ROTATION)
}
