"""The stack profile: which platform is judged, how it is reached, what is declared about it.

Secrets by path only.
"""

from __future__ import annotations

import datetime
import fnmatch
import os
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from assay.config.allow import Allow
from assay.config.drill_access import DrillAccess
from assay.config.paths import Paths
from assay.config.platform import Platform
from assay.config.sops_access import SopsAccess
from assay.config.transactions import Transaction
from assay.errors import ProbeError
from assay.model import Override


KINDS = ("lab", "staging", "production")
# The systems that a judgement may ask: the sections of the profile by which they are reached.
SYSTEMS = ("kube", "talos", "etcd", "registry", "api", "oidc", "vault", "s3", "sops", "sql", "drill")
LONGEST_WAIVER = datetime.timedelta(days=90)
CONTROL_ID = re.compile(r"[A-Z]{2,5}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class KubeAccess:
    """The Kubernetes API.

    Attributes:
        kubeconfig: the file.
        context: of it; empty: the one in force.
        apiservers: every apiserver by its own address (`https://host:6443`); none: those the cluster lists.
    """

    kubeconfig: Path | None = None
    context: str = ""
    apiservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TalosAccess:
    """The Talos API.

    Admin and reader talosconfig files, endpoints, node name -> address, the pinned version (`v1.13.5`).
    """

    config: Path | None = None
    reader_config: Path | None = None
    endpoints: tuple[str, ...] = ()
    controlplanes: Mapping[str, str] = field(default_factory=dict)
    workers: Mapping[str, str] = field(default_factory=dict)
    version: str = ""

    @property
    def nodes(self) -> dict[str, str]:
        """Return every node, name -> address, control planes first."""
        return {**self.controlplanes, **self.workers}


@dataclass(frozen=True, slots=True)
class EtcdAccess:
    """The etcd members' client addresses and the paths of a client certificate for them."""

    endpoints: tuple[str, ...] = ()
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """Absolute paths of the command line tools that probes drive; `more` are others that a runbook uses."""

    talosctl: Path | None = None
    kubectl: Path | None = None
    cosign: Path | None = None
    etcdutl: Path | None = None
    gitleaks: Path | None = None
    age: Path | None = None
    vault: Path | None = None
    rclone: Path | None = None
    openssl: Path | None = None
    more: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registry:
    """The image registry: `host:port`, and whether it speaks plain HTTP."""

    address: str = ""
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class AllowList:
    """Who is let in: `admin` address ranges for the admin ports, `registries` (`host[:port]`) for images."""

    admin: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Samples:
    """Image references made for trying: by digest, `tagmoved` by tag. Empty: not there."""

    signed: str = ""
    unsigned: str = ""
    otherkey: str = ""
    otherdigest: str = ""
    tagmoved: str = ""


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """The public API as its users reach it.

    Attributes:
        url: where it is asked.
        ca: the CA by which it is known; None: those that the machine trusts.
        host: host name to ask for, where `url` is an address.
        paths: what is read under load, in turn.
        headers: a file with what each request carries, `Name: value` a line, for an API behind a login.
    """

    url: str = ""
    ca: Path | None = None
    host: str = ""
    paths: tuple[str, ...] = ()
    headers: Path | None = None


@dataclass(frozen=True, slots=True)
class Oidc:
    """The issuer of human identities.

    `signing_key` (a path) exists in labs only, `user_token` is the file with one person's identity token.
    """

    issuer: str = ""
    ca: Path | None = None
    signing_key: Path | None = None
    user_token: Path | None = None
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class VaultAccess:
    """Vault: every member by its own address, a read-only token's file, the KV v2 mount with the values.

    `entry` is where a client without a member of its own in mind asks. `drill_token` is the file of a token
    that writes what drills write, and nothing else. `namespace`, of Vault Enterprise
    or HCP, is where the platform's mounts are.
    """

    addresses: tuple[str, ...] = ()
    entry: str = ""
    namespace: str = ""
    ca: Path | None = None
    token: Path | None = None
    drill_token: Path | None = None
    mount: str = "kv"


@dataclass(frozen=True, slots=True)
class S3Access:
    """The object store: buckets by purpose, and key files of the writers (by purpose) and of the one reader.

    A key file is JSON with `access_key` and `secret_key`. `operator_key` is the key that owns the buckets:
    what it is refused, only the lock can refuse. `also` are globs over further buckets that are judged.
    `canary_bucket` is made for trying the lock, `canary_key` writes to it as backups are written to theirs.
    """

    endpoint: str = ""
    region: str = "us-east-1"
    ca: Path | None = None
    buckets: Mapping[str, str] = field(default_factory=dict)
    writer_keys: Mapping[str, Path] = field(default_factory=dict)
    reader_key: Path | None = None
    operator_key: Path | None = None
    also: tuple[str, ...] = ()
    canary_bucket: str = ""
    canary_key: Path | None = None


@dataclass(frozen=True, slots=True)
class SqlAccess:
    """PostgreSQL by another way than the product's: host, port, and the file that holds the password."""

    host: str = ""
    port: str = "5432"
    ca: Path | None = None
    dbname: str = ""
    user: str = ""
    password: Path | None = None


@dataclass(frozen=True, slots=True)
class Escrow:
    """The escrow kit: the folder with what a restore may use beside object storage, Git and the runbook.

    `reader_key` is what the sealed envelope calls the file of the object storage's reader key.
    """

    folder: Path | None = None
    reader_key: str = "s3-reader.json"


@dataclass(frozen=True, slots=True)
class ViolationTargets:
    """Deployments of a lab that planted violations change, each as `Deployment namespace/name`.

    `api` answers the public API, `pooler` stands between it and its database, `secret_operator` makes Secrets
    of ExternalSecrets.
    """

    api: str = ""
    pooler: str = ""
    secret_operator: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """An accepted failure: `scope` is a glob over the offenders' names (`*`: the whole control).

    Both days count.
    """

    control: str
    scope: str
    reason: str
    approver: str
    created: datetime.date
    expires: datetime.date

    def holds(self, day: datetime.date) -> bool:
        """Return True if the waiver is in force on `day`."""
        return self.created <= day <= self.expires

    def covers(self, ref: str) -> bool:
        """Return True if an offender of this name lies in the waiver's scope."""
        return fnmatch.fnmatchcase(ref, self.scope)


@dataclass(frozen=True, slots=True)
class Standin:
    """A part that is not the real one in this stack.

    Attributes:
        part: what it is called.
        reason: why it is there, and in place of what.
        systems: the systems that it takes the place of, as SYSTEMS names them.
        controls: controls that it bears on besides.
    """

    part: str
    reason: str
    systems: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()

    def touches(self, control: str, asked: Set[str]) -> bool:
        """Return whether a judgement of `control` that asked these systems went through the stand-in."""
        return control in self.controls or bool(asked & set(self.systems))


@dataclass(frozen=True, slots=True)
class Profile:
    """One stack, as its TOML file says.

    Attributes that no section has: `file` is that file and `digest` its SHA-256; `controls` is None where the
    scope is the whole catalogue, `tested_only` narrows it to the controls that have a test; `overrides` is
    what the profile sets for single controls, by id.
    """

    file: Path
    name: str
    kind: str
    cluster_uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    controls: tuple[str, ...] | None = None
    tested_only: bool = False
    paths: Paths = field(default_factory=Paths)
    kube: KubeAccess = KubeAccess()
    talos: TalosAccess = TalosAccess()
    etcd: EtcdAccess = EtcdAccess()
    tools: Tools = Tools()
    registry: Registry = Registry()
    allowlist: AllowList = AllowList()
    samples: Samples = Samples()
    api: ApiAccess = ApiAccess()
    oidc: Oidc = Oidc()
    drill: DrillAccess = DrillAccess()
    vault: VaultAccess = VaultAccess()
    s3: S3Access = S3Access()
    sops: SopsAccess = SopsAccess()
    sql: SqlAccess = SqlAccess()
    escrow: Escrow = Escrow()
    violations: ViolationTargets = ViolationTargets()
    platform: Platform = Platform()
    overrides: Mapping[str, Override] = field(default_factory=dict)
    digest: str = ""
    waivers: tuple[Waiver, ...] = ()
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    standins: tuple[Standin, ...] = ()
    allow: Allow | None = None
    transactions: tuple[Transaction, ...] = ()

    @property
    def is_lab(self) -> bool:
        """Return True if things may be planted and broken here."""
        return self.kind == "lab"

    def override(self, control: str) -> Override:
        """Return what the profile sets for one control."""
        return self.overrides.get(control, Override())

    def need_cluster(self) -> str:
        """Return the UID of namespace kube-system of the cluster that is meant.

        Raises:
            ProbeError: the profile does not say; an empty one would be found in every cluster's data.
        """
        if not self.cluster_uid:
            remedy = f"set cluster_uid under [stack] in {self.file.name}"
            raise ProbeError("the profile does not say which cluster is meant", remedy)
        return self.cluster_uid

    def need_text(self, dotted: str) -> str:
        """Return the profile's text at `section.key`, for example `api.url`.

        Raises:
            ProbeError: the profile does not say.
        """
        section, _, key = dotted.partition(".")
        value = getattr(getattr(self, section), key)
        if not value:
            raise ProbeError(
                f"the profile does not say {dotted}", f"set {key} under [{section}] in {self.file.name}"
            )
        return str(value)

    def need_path(self, dotted: str) -> Path:
        """Return the path at `section.key`, for example `etcd.ca`, after checking that it can be read.

        Raises:
            ProbeError: the profile does not say, or the file or folder is not there or not readable.
        """
        path = Path(self.need_text(dotted))
        if not os.access(path, os.R_OK):
            raise ProbeError(
                f"{dotted}: {path.name} is missing or not readable",
                f"check [{dotted.split('.')[0]}] in {self.file.name}",
            )
        return path
