"""The stack profile: which platform is judged, how it is reached, what is declared about it. Secrets by path only."""

from __future__ import annotations

import datetime
import fnmatch
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import ProbeError, ProfileError
from assay.table import Table, read_toml


KINDS = ("lab", "staging", "production")
LONGEST_WAIVER = datetime.timedelta(days=90)
CONTROL_ID = re.compile(r"[A-Z]{2,5}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the declared platform lies: folders, and `runbook`, a file. None: the profile does not say."""

    infra: Path | None = None
    talos: Path | None = None
    gitops: Path | None = None
    runbook: Path | None = None
    repository: Path | None = None
    machineconfigs: Path | None = None
    overlay: Path | None = None
    plan: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class KubeAccess:
    """The Kubernetes API: a kubeconfig file, and every apiserver by its own address (`https://host:6443`)."""

    kubeconfig: Path | None = None
    apiservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TalosAccess:
    """The Talos API: admin and reader talosconfig files, endpoints, node name -> address, the pinned version (`v1.13.5`)."""

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
    """Absolute paths of the command line tools that probes drive."""

    talosctl: Path | None = None
    kubectl: Path | None = None
    cosign: Path | None = None
    etcdutl: Path | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    """The image registry: `host:port`, and whether it speaks plain HTTP."""

    address: str = ""
    plain_http: bool = False


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
    """The public API as its users reach it: URL, CA file, host name to ask for, path of one cheap read."""

    url: str = ""
    ca: Path | None = None
    host: str = ""
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Oidc:
    """The issuer of human identities; `signing_key` (a path) exists in labs only."""

    issuer: str = ""
    ca: Path | None = None
    signing_key: Path | None = None
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class DrillAccess:
    """How a drill takes a node away: the command that kills and starts nodes."""

    launcher: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """An accepted failure: `scope` is a glob over the offenders' names (`*`: the whole control). Both days count."""

    control: str
    scope: str
    reason: str
    approver: str
    created: datetime.date
    expires: datetime.date

    def holds(self, day: datetime.date) -> bool:
        """Return True if the waiver is in force on `day`."""
        return self.created <= day <= self.expires

    def covers(self, named: str) -> bool:
        """Return True if an offender of this name lies in the waiver's scope."""
        return fnmatch.fnmatchcase(named, self.scope)


@dataclass(frozen=True, slots=True)
class Standin:
    """A part that is not the real one in this stack, and why."""

    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One stack, as its TOML file says. `file` is that file; `controls` is None where the scope is the whole catalogue."""

    file: Path
    name: str
    kind: str
    cluster_uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    controls: tuple[str, ...] | None = None
    paths: Paths = Paths()
    kube: KubeAccess = KubeAccess()
    talos: TalosAccess = TalosAccess()
    etcd: EtcdAccess = EtcdAccess()
    tools: Tools = Tools()
    registry: Registry = Registry()
    samples: Samples = Samples()
    api: ApiAccess = ApiAccess()
    oidc: Oidc = Oidc()
    drill: DrillAccess = DrillAccess()
    declared: Mapping[str, float] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    standins: tuple[Standin, ...] = ()

    @property
    def is_lab(self) -> bool:
        """Return True if things may be planted and broken here."""
        return self.kind == "lab"

    def need_text(self, dotted: str) -> str:
        """Return the profile's text at `section.key`, for example `api.url`.

        Raises:
            ProbeError: the profile does not say.
        """
        section, _, key = dotted.partition(".")
        value = getattr(getattr(self, section), key)
        if not value:
            raise ProbeError(f"the profile does not say {dotted}", f"set {key} under [{section}] in {self.file.name}")
        return str(value)

    def need_path(self, dotted: str) -> Path:
        """Return the path at `section.key`, for example `etcd.ca`, after checking that it can be read.

        Raises:
            ProbeError: the profile does not say, or the file or folder is not there or not readable.
        """
        path = Path(self.need_text(dotted))
        if not os.access(path, os.R_OK):
            raise ProbeError(f"{dotted}: {path.name} is missing or not readable", f"check [{dotted.split('.')[0]}] in {self.file.name}")
        return path


def load_profile(path: Path) -> Profile:
    """Return the profile in `path`; KUBECONFIG and TALOSCONFIG stand in for paths it does not give.

    Raises:
        ProfileError: not readable, an unknown key, or a value of the wrong kind; one line with a remedy.
    """
    top = Table(path.name, read_toml(path, ProfileError), ProfileError, path.absolute().parent)
    identity = top.table("stack")
    profile = Profile(
        file=path.absolute(), name=identity.needed("name"), kind=_kind(identity),
        cluster_uid=identity.text("cluster_uid"), labels=identity.mapping("labels"), controls=_scope(top),
        paths=_paths(top), kube=_kube(top), talos=_talos(top), etcd=_etcd(top), tools=_tools(top), registry=_registry(top),
        samples=_samples(top), api=_api(top), oidc=_oidc(top), drill=_drill(top), declared=_declared(top),
        waivers=tuple(_waiver(entry) for entry in top.tables("waivers")),
        not_applicable=_not_applicable(top), standins=_standins(top),
    )  # fmt: skip
    identity.close()
    top.close()
    return profile


def _kind(identity: Table) -> str:
    kind = identity.needed("kind")
    if kind not in KINDS:
        raise identity.complain("kind", f"one of {', '.join(KINDS)}")
    return kind


def _scope(top: Table) -> tuple[str, ...] | None:
    scope = top.table("scope")
    controls = scope.texts("controls") if "controls" in scope.values else None
    scope.take("controls")
    scope.close()
    if controls is not None and not controls:
        raise scope.complain("controls", "a list with at least one control; leave it out for the whole catalogue")
    for control in controls or ():
        _check_id(scope, control)
    return controls


def _check_id(table: Table, control: str) -> str:
    if not CONTROL_ID.fullmatch(control):
        raise table.error(f"{table.where}: {control!r} is no control id", "write it as SEC-27")
    return control


def _paths(top: Table) -> Paths:
    table = top.table("paths")
    paths = Paths(
        infra=table.path("infra"), talos=table.path("talos"), gitops=table.path("gitops"), runbook=table.path("runbook"),
        repository=table.path("repository"), machineconfigs=table.path("machineconfigs"), overlay=table.path("overlay"),
        plan=table.paths("plan"),
    )  # fmt: skip
    table.close()
    return paths


def _kube(top: Table) -> KubeAccess:
    table = top.table("kube")
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    access = KubeAccess(kubeconfig=table.path("kubeconfig", first), apiservers=table.texts("apiservers"))
    table.close()
    return access


def _talos(top: Table) -> TalosAccess:
    table = top.table("talos")
    access = TalosAccess(
        config=table.path("config", os.environ.get("TALOSCONFIG", "")), reader_config=table.path("reader_config"),
        endpoints=table.texts("endpoints"), controlplanes=table.mapping("controlplanes"), workers=table.mapping("workers"),
        version=table.text("version"),
    )  # fmt: skip
    table.close()
    return access


def _etcd(top: Table) -> EtcdAccess:
    table = top.table("etcd")
    access = EtcdAccess(table.texts("endpoints"), table.path("ca"), table.path("cert"), table.path("key"))
    table.close()
    return access


def _tools(top: Table) -> Tools:
    table = top.table("tools")
    tools = Tools(table.path("talosctl"), table.path("kubectl"), table.path("cosign"), table.path("etcdutl"))
    table.close()
    return tools


def _registry(top: Table) -> Registry:
    table = top.table("registry")
    registry = Registry(table.text("address"), table.flag("plain_http"))
    table.close()
    return registry


def _samples(top: Table) -> Samples:
    table = top.table("samples")
    samples = Samples(**{key: table.text(key) for key in ("signed", "unsigned", "otherkey", "otherdigest", "tagmoved")})
    table.close()
    return samples


def _api(top: Table) -> ApiAccess:
    table = top.table("api")
    access = ApiAccess(table.text("url"), table.path("ca"), table.text("host"), table.text("path", "/"))
    table.close()
    return access


def _oidc(top: Table) -> Oidc:
    table = top.table("oidc")
    oidc = Oidc(table.text("issuer"), table.path("ca"), table.path("signing_key"), table.text("client_id"))
    table.close()
    return oidc


def _drill(top: Table) -> DrillAccess:
    table = top.table("drill")
    access = DrillAccess(table.text("launcher"))
    table.close()
    return access


def _declared(top: Table) -> dict[str, float]:
    table = top.table("declared")
    declared = {}
    for key in table.values:
        control, dot, metric = key.partition(".")
        _check_id(table, control)
        if not dot or not metric:
            raise table.complain(key, 'written "ACC-01.peak_rps" = 20.0, with the quotes')
        declared[key] = table.number(key)
        if not math.isfinite(declared[key]):
            raise table.complain(key, "a finite number")
    return declared


def _waiver(table: Table) -> Waiver:
    waiver = Waiver(
        _check_id(table, table.needed("control")), table.needed("scope"), table.needed("reason"), table.needed("approver"),
        table.day("created"), table.day("expires"),
    )  # fmt: skip
    table.close()
    if not datetime.timedelta(0) <= waiver.expires - waiver.created <= LONGEST_WAIVER:
        raise table.complain("expires", f"at most {LONGEST_WAIVER.days} days after created")
    return waiver


def _not_applicable(top: Table) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for table in top.tables("not_applicable"):
        control = _check_id(table, table.needed("control"))
        if control in reasons:
            raise table.error(f"{table.where}: {control} is declared twice", "keep one")
        reasons[control] = table.needed("reason")
        table.close()
    return reasons


def _standins(top: Table) -> tuple[Standin, ...]:
    standins = []
    for table in top.tables("standins"):
        standins.append(Standin(table.needed("part"), table.needed("reason")))
        table.close()
    return tuple(standins)
