"""What a platform calls its own things: the profile's `[platform]`, declared once for every control.

A policy says what must hold; the names that it holds for are these. A default is the name that Kubernetes
itself fixes, or nothing.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path


SYSTEM = ("kube-system",)
# How the backups of a service are made, and so what a restorable point of it is: one object that opens (etcd,
# Vault, any other), a base backup with its whole log (pgBackRest, Barman), a completed backup (Velero).
ETCD_SNAPSHOT = "etcd-snapshot"
BACKUPS = (ETCD_SNAPSHOT, "vault-snapshot", "objects", "pgbackrest", "barman", "velero")
# A holder of one of these is administrator of every machine, or becomes it.
MIGHTY_ROLES = ("os:admin", "os:impersonator")
LEASES = ("kube-node-lease", "kube-public")


@dataclass(frozen=True, slots=True)
class Exemption:
    """What a control does not count, and why: `match` is a glob over `Kind namespace/name`."""

    match: str
    reason: str

    def covers(self, ref: str) -> bool:
        """Return whether the thing called `ref` is exempt."""
        return fnmatch.fnmatchcase(ref, self.match)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Namespaces that a control treats otherwise than the rest, as globs.

    Attributes:
        privileged: may run privileged pods (NODE-04).
        baseline: need no more than Pod Security's baseline; all others are restricted (NODE-04).
        unsigned: outside signature admission, as the gate's own and those without pods (ACC-05, SEC-02).
        uncritical: services that need no Guaranteed quality of service (PERF-07).
        unsized: workloads without requests and limits are accepted (PERF-08).
        everywhere: pods of the platform itself may run in every pool (ARCH-03).
    """

    privileged: tuple[str, ...] = SYSTEM
    baseline: tuple[str, ...] = LEASES
    unsigned: tuple[str, ...] = (*SYSTEM, *LEASES)
    uncritical: tuple[str, ...] = SYSTEM
    unsized: tuple[str, ...] = SYSTEM
    everywhere: tuple[str, ...] = SYSTEM


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools that workers are divided into (ARCH-03).

    Attributes:
        label: the node label whose value is the pool's name.
        control_label: the node label of control planes, as the kubelet sets it.
        names: every pool.
        taints: pool -> key of the taint that keeps other pods out; a pool without one takes everything.
    """

    label: str = ""
    control_label: str = "node-role.kubernetes.io/control-plane"
    names: tuple[str, ...] = ()
    taints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """One stateful service: what of the cluster is its state, where its backups lie, how old they may be.

    Attributes:
        name: as records and drills call it; `etcd` is the cluster's own.
        owns: globs over `Kind namespace/name`: StatefulSets, claims, volumes, pods that hold its state.
        bucket: the bucket of its backups; default: the one of this name under `[s3] buckets`.
        prefix: where in the bucket they begin.
        backup: how they are made, one of BACKUPS; default: `etcd-snapshot` for the service called `etcd`.
        key: the file of the escrow kit that opens them.
        settings: the file that tells the tool how long to keep them (DR-08), where a tool ends them.
        section: the heading of the runbook's section that restores it; docs/restores.md is its contract.
        shares: a glob over files of the escrow kit: the shares that unseal a restored Vault.
        rpo_s: recovery point objective, seconds; without it the service's age is NOT_CHECKED.
    """

    name: str
    owns: tuple[str, ...] = ()
    bucket: str = ""
    prefix: str = ""
    backup: str = ""
    key: str = ""
    settings: Path | None = None
    section: str = ""
    shares: str = ""
    rpo_s: float | None = None

    def holds(self, ref: str) -> bool:
        """Return whether the thing called `ref` is this service's state."""
        return any(fnmatch.fnmatchcase(ref, glob) for glob in self.owns)


@dataclass(frozen=True, slots=True)
class ControllerSecret:
    """Secrets that a controller makes for itself, neither Vault's nor SOPS' (ACC-04).

    `match` is a glob over `namespace/name`, `type` one over the Secret's type, `writer` one over the name of
    its only field manager, `key` one over the keys that it makes.
    """

    match: str
    type: str
    writer: str
    reason: str
    key: str = "*"


@dataclass(frozen=True, slots=True)
class MachineSecretExemption:
    """A secret of machine configurations that is neither Vault's nor SOPS' (ACC-04).

    `machine` is a glob over node names, `path` one over paths of the configuration without list indices.
    """

    machine: str
    path: str
    reason: str

    def covers(self, machine: str, path: str) -> bool:
        """Return whether it is for the secret at a path of a machine's configuration."""
        return fnmatch.fnmatchcase(machine, self.machine) and fnmatch.fnmatchcase(path, self.path)


@dataclass(frozen=True, slots=True)
class SecretElsewhere:
    """A Secret that manifests name and neither Vault nor SOPS has (ACC-04): its name, a glob."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class PublicText:
    """A text that is made for everybody to read (ACC-04): the kind, and its path without list indices."""

    kind: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """Annotations by which the platform's own objects say something of themselves.

    Attributes:
        backup_of: on a CronJob: the service that it backs up.
        state: on a pod: it holds state.
        sensitive: on a ConfigMap: every value of it is sensitive.
        calls_api: on a pod: it calls the Kubernetes API, and why.
        critical: as annotation or label, with the value `true`, on a namespace, workload or pod: a critical
            backend service, also inside a namespace that is uncritical (PERF-07).
    """

    backup_of: str = "assay.dev/backup-of"
    state: str = "assay.dev/state"
    sensitive: str = "assay.dev/sensitive"
    calls_api: str = "assay.dev/calls-api"
    critical: str = "assay.dev/critical"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who may administer the cluster (IAM-10).

    Attributes:
        prefix: what the API servers put before user and groups of an identity token; default: read from them.
        administrators: grants that equal administrator and are meant to be, `binding -> subject`.
    """

    prefix: str = ""
    administrators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signatures:
    """The gate that verifies images' signatures, as far as the suite does not know it (ACC-05, SEC-02).

    Attributes:
        hooks: globs over names of webhooks that verify signatures.
        refusals: regular expressions, how they say that a signature is missing or wrong.
        exemptions: conditions and settings that leave somebody out and are meant to, as globs over
            `Kind configuration/webhook: condition` and `ConfigMap namespace/name: key: who`.
    """

    hooks: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True, slots=True)
class VaultStorage:
    """A type of storage that survives the loss of a member, although Vault cannot say so (SEC-24)."""

    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class VaultLayout:
    """How Vault is laid out (SEC-24, SEC-25).

    Attributes:
        config: the folder with `policies/*.hcl` and `roles/*.json` as Git declares them.
        auth_mount: where the Kubernetes auth method is mounted.
        granted: rights beyond reading one path, `policy path: capabilities`.
        unbound: policies that no role may carry, beside `root`.
        storages: see VaultStorage; not needed for `raft`.
    """

    config: Path | None = None
    auth_mount: str = "kubernetes"
    granted: tuple[str, ...] = ()
    unbound: tuple[str, ...] = ()
    storages: tuple[VaultStorage, ...] = ()


@dataclass(frozen=True, slots=True)
class Rotation:
    """What follows a rotation, and how it is tried (SEC-26).

    Attributes:
        canary_path: a login at the source that may do nothing, as a path below the KV mount.
        canary_secret: `namespace/name` of the Secret made of it.
        canary_key: what is changed, under this key at the source and in the Secret.
        canary_login: an https URL where the login is tried; empty: the PostgreSQL of `[sql]`.
        reloaders: controllers that restart a workload when its Secret changes, `Kind namespace/name`.
        exemptions: Secrets and pods that need not follow by themselves.
    """

    canary_path: str = ""
    canary_secret: str = ""
    canary_key: str = "password"
    canary_login: str = ""
    reloaders: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeAdditions:
    """What runs on the nodes beyond Talos itself (NODE-01 to NODE-03).

    Attributes:
        services: machine services by name, globs, for example `ext-zfs-service`.
        extensions: system extensions by name, globs, for example `gvisor`.
        mounts: globs over mount points that the kubelet may write to, for example `/var/mnt/*`.
        files: globs over files that the machine configuration may write.
        servers: globs over names of servers that are not meant to be nodes, for example a bastion.
    """

    services: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateBackend:
    """A backend of Terraform whose service encrypts the state, although no setting says so (NODE-05)."""

    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class BucketElsewhere:
    """A bucket for backups that no Terraform source at hand makes (SEC-32): its name, and who makes it."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that a platform names for itself.

    Attributes:
        deployer: field managers that apply what lies in Git, for example `argocd-controller`.
        namespaces: see Namespaces.
        pools: see Pools.
        services: the stateful services; the first that holds a thing owns it.
        stateless: what looks like state and holds none that must come back.
        controller_secrets: see ControllerSecret.
        machine_secrets: see MachineSecretExemption.
        secrets_elsewhere: see SecretElsewhere.
        public_texts: see PublicText.
        sensitive_configmaps: globs over `namespace/name` of ConfigMaps whose every value is sensitive.
        annotations: see Annotations.
        api_clients: service accounts whose pods call the Kubernetes API, `namespace/name`, as globs.
        identity: see Identity.
        signatures: see Signatures.
        vault: see VaultLayout.
        rotation: see Rotation.
        nodes: see NodeAdditions.
        state_backends: see StateBackend.
        buckets_elsewhere: see BucketElsewhere; the live half of SEC-32 judges them all the same.
        pod_roles: Talos roles that pods may ask for beside `os:etcd:backup` (SEC-33); never a mighty one.
        scripts: globs over scripts and pipelines of the repositories, beside the usual ones (SEC-28).
    """

    deployer: tuple[str, ...] = ()
    namespaces: Namespaces = Namespaces()
    pools: Pools = Pools()
    services: tuple[Service, ...] = ()
    stateless: tuple[Exemption, ...] = ()
    controller_secrets: tuple[ControllerSecret, ...] = ()
    machine_secrets: tuple[MachineSecretExemption, ...] = ()
    secrets_elsewhere: tuple[SecretElsewhere, ...] = ()
    public_texts: tuple[PublicText, ...] = ()
    sensitive_configmaps: tuple[str, ...] = ()
    annotations: Annotations = Annotations()
    api_clients: tuple[str, ...] = ()
    identity: Identity = Identity()
    signatures: Signatures = Signatures()
    vault: VaultLayout = VaultLayout()
    rotation: Rotation = Rotation()
    nodes: NodeAdditions = NodeAdditions()
    state_backends: tuple[StateBackend, ...] = ()
    buckets_elsewhere: tuple[BucketElsewhere, ...] = ()
    pod_roles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()

    @property
    def etcd(self) -> Service:
        """Return the cluster's own service: the one whose backups are snapshots of etcd, else `etcd`."""
        declared = (one for one in self.services if one.backup == ETCD_SNAPSHOT or one.name == "etcd")
        found = next(declared, Service("etcd"))
        return found if found.backup else replace(found, backup=ETCD_SNAPSHOT)

    def made_by(self, *kinds: str) -> tuple[Service, ...]:
        """Return the stateful services whose backups are made in one of these ways."""
        return tuple(one for one in self.services if one.backup in kinds)

    def holder(self, name: str) -> Service:
        """Return the service called `name`, the cluster's own included, which need not be declared."""
        return self.etcd if name == self.etcd.name else self.service(name) or Service(name)

    def service(self, name: str) -> Service | None:
        """Return the stateful service called `name`, None where the profile declares none."""
        return next((one for one in self.services if one.name == name), None)

    def owner(self, ref: str) -> Service | None:
        """Return the service whose state the thing called `ref` is, None where it belongs to none."""
        return next((one for one in self.services if one.holds(ref)), None)


def covered(name: str, globs: tuple[str, ...]) -> bool:
    """Return whether one of `globs` matches `name`."""
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
