"""Read a stack profile from its TOML file: a closed set of keys, one-line complaints."""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from assay.config.profile import (
    CONTROL_ID,
    KINDS,
    LONGEST_WAIVER,
    AllowList,
    ApiAccess,
    DrillAccess,
    Escrow,
    EtcdAccess,
    KubeAccess,
    Oidc,
    Paths,
    Profile,
    Registry,
    S3Access,
    Samples,
    SopsAccess,
    SqlAccess,
    Standin,
    TalosAccess,
    Tools,
    VaultAccess,
    Waiver,
)
from assay.config.toml import Table, read_toml
from assay.errors import ProfileError


if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
SECTIONS: dict[str, type[Any]] = {
    "paths": Paths,
    "kube": KubeAccess,
    "talos": TalosAccess,
    "etcd": EtcdAccess,
    "tools": Tools,
    "registry": Registry,
    "allowlist": AllowList,
    "samples": Samples,
    "api": ApiAccess,
    "oidc": Oidc,
    "drill": DrillAccess,
    "vault": VaultAccess,
    "s3": S3Access,
    "sops": SopsAccess,
    "sql": SqlAccess,
    "escrow": Escrow,
}
STANDARD = {
    "kube.kubeconfig": "KUBECONFIG",
    "talos.config": "TALOSCONFIG",
    "vault.entry": "VAULT_ADDR",
    "vault.ca": "VAULT_CACERT",
}
READERS: dict[object, Callable[[Table, str, str], object]] = {
    str: Table.text,
    Path | None: Table.path,
    bool: lambda table, key, _: table.flag(key),
    tuple[str, ...]: lambda table, key, _: table.texts(key),
    tuple[Path, ...]: lambda table, key, _: table.paths(key),
    Mapping[str, str]: lambda table, key, _: table.mapping(key),
    Mapping[str, Path]: lambda table, key, _: table.named_paths(key),
}


def load_profile(path: Path) -> Profile:
    """Return the profile in `path`; KUBECONFIG and TALOSCONFIG stand in for paths it does not give.

    Raises:
        ProfileError: not readable, an unknown key, or a value of the wrong kind; one line with a remedy.
    """
    top = Table(path.name, read_toml(path, ProfileError), ProfileError, path.absolute().parent)
    identity = top.table("stack")
    profile = Profile(
        file=path.absolute(),
        name=identity.needed("name"),
        kind=_kind(identity),
        cluster_uid=identity.text("cluster_uid"),
        labels=identity.mapping("labels"),
        controls=_scope(top),
        **{name: _section(top, name, kind) for name, kind in SECTIONS.items()},
        declared=_declared(top),
        waivers=tuple(_waiver(entry) for entry in top.tables("waivers")),
        not_applicable=_not_applicable(top),
        standins=_standins(top),
    )
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
        raise scope.complain(
            "controls", "a list with at least one control; leave it out for the whole catalogue"
        )
    for control in controls or ():
        _check_id(scope, control)
    return controls


def _check_id(table: Table, control: str) -> str:
    if not CONTROL_ID.fullmatch(control):
        raise table.error(f"{table.where}: {control!r} is no control id", "write it as SEC-27")
    return control


def _section(top: Table, name: str, kind: type[T]) -> T:
    """Return one section, each key read as its field's type says."""
    table = top.table(name)
    usual = {one.name: one.default for one in dataclasses.fields(kind)}
    values = {
        key: READERS[hint](table, key, _default(f"{name}.{key}", usual[key]))
        for key, hint in typing.get_type_hints(kind).items()
    }
    table.close()
    return kind(**values)


def _default(dotted: str, usual: object) -> str:
    """Return what stands in for a text or a path that is not given: a standard variable, else its default."""
    given = os.environ.get(STANDARD.get(dotted, ""), "")
    return given.split(os.pathsep)[0] if dotted == "kube.kubeconfig" else given or _text(usual)


def _text(usual: object) -> str:
    return usual if isinstance(usual, str) else ""


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
        _check_id(table, table.needed("control")),
        table.needed("scope"),
        table.needed("reason"),
        table.needed("approver"),
        table.day("created"),
        table.day("expires"),
    )
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
