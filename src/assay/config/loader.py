"""Read a stack profile from its TOML file: a closed set of keys, one-line complaints."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import math
import os
import shutil
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from assay.config.allow import read_allow
from assay.config.drill_access import DrillAccess
from assay.config.paths import Paths
from assay.config.platform import BACKUPS, MIGHTY_ROLES, Platform
from assay.config.profile import (
    CONTROL_ID,
    KINDS,
    LONGEST_WAIVER,
    SYSTEMS,
    AllowList,
    ApiAccess,
    Escrow,
    EtcdAccess,
    KubeAccess,
    Oidc,
    Profile,
    Registry,
    S3Access,
    Samples,
    SqlAccess,
    Standin,
    TalosAccess,
    Tools,
    VaultAccess,
    ViolationTargets,
    Waiver,
)
from assay.config.sops_access import SopsAccess
from assay.config.toml import Table, read_toml
from assay.config.transactions import Transaction
from assay.errors import ProfileError
from assay.model import Override


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
    "violations": ViolationTargets,
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
    float: lambda table, key, usual: table.number(key) if table.take(key) is not None else float(usual),
    tuple[str, ...]: lambda table, key, _: table.texts(key),
    tuple[Path, ...]: lambda table, key, _: table.paths(key),
    Mapping[str, str]: lambda table, key, _: table.mapping(key),
    Mapping[str, Path]: lambda table, key, _: table.named_paths(key),
}


def load_profile(path: Path) -> Profile:
    """Return the profile in `path`; STANDARD variables such as KUBECONFIG stand in for what it does not give.

    Raises:
        ProfileError: not readable, an unknown key, or a value of the wrong kind; one line with a remedy.
    """
    top = Table(path.name, read_toml(path, ProfileError), ProfileError, path.absolute().parent)
    _refuse_moved(top)
    identity = top.table("stack")
    controls, tested_only = _scope(top)
    profile = Profile(
        file=path.absolute(),
        name=identity.needed("name"),
        kind=_kind(identity),
        cluster_uid=identity.text("cluster_uid"),
        labels=identity.mapping("labels"),
        controls=controls,
        tested_only=tested_only,
        **{name: _section(top, name, kind) for name, kind in SECTIONS.items()},
        platform=_platform(top.table("platform")),
        overrides=_overrides(top),
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        waivers=tuple(_waiver(entry) for entry in top.tables("waivers")),
        not_applicable=_not_applicable(top),
        standins=_standins(top),
        allow=read_allow(top.table("allow")),
        transactions=tuple(_transaction(entry) for entry in top.tables("transactions")),
    )
    identity.close()
    top.close()
    return profile


def _kind(identity: Table) -> str:
    kind = identity.needed("kind")
    if kind not in KINDS:
        raise identity.complain("kind", f"one of {', '.join(KINDS)}")
    return kind


def _scope(top: Table) -> tuple[tuple[str, ...] | None, bool]:
    """Return the controls that the stack is accepted on (None: all), and whether only those with a test."""
    scope = top.table("scope")
    controls = scope.texts("controls") if "controls" in scope.values else None
    scope.take("controls")
    tested_only = scope.flag("tested_only")
    scope.close()
    if controls is not None and (not controls or tested_only):
        raise scope.complain(
            "controls", "a list with at least one control, without tested_only; leave it out for all"
        )
    for control in controls or ():
        _check_id(scope, control)
    return controls, tested_only


def _check_id(table: Table, control: str) -> str:
    if not CONTROL_ID.fullmatch(control):
        raise table.error(f"{table.where}: {control!r} is no control id", "write it as SEC-27")
    return control


def _section(top: Table, name: str, kind: type[T]) -> T:
    """Return one section, each key read as its field's type says."""
    table = top.table(name)
    usual = {one.name: one.default for one in dataclasses.fields(kind)}
    values = {
        key: _value(table, key, hint, _default(f"{name}.{key}", usual[key]))
        for key, hint in typing.get_type_hints(kind).items()
    }
    table.close()
    return kind(**values)


def _default(dotted: str, usual: object) -> str:
    """Return what stands in for a key that is not given, as text.

    A standard variable, else for a tool the one on PATH, else the default.
    """
    section, _, key = dotted.partition(".")
    if section == "tools" or dotted == "sops.binary":
        return shutil.which("sops" if section == "sops" else key) or ""
    given = os.environ.get(STANDARD.get(dotted, ""), "")
    return given.split(os.pathsep)[0] if dotted == "kube.kubeconfig" else given or _text(usual)


def _text(usual: object) -> str:
    return str(usual) if isinstance(usual, str | float) else ""


def _read(table: Table, kind: type[T]) -> T:
    """Return a dataclass read from a table, each field by its type: texts, numbers, tables, lists of tables.

    A field without a default must be there.
    """
    values: dict[str, object] = {}
    hints = typing.get_type_hints(kind)
    for one in dataclasses.fields(kind):
        value = _value(table, one.name, hints[one.name])
        needed = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if needed and not value:
            raise table.complain(one.name, "given")
        if one.name in table.values:
            values[one.name] = value
    table.close()
    return kind(**values)


def _value(table: Table, key: str, hint: Any, default: str = "") -> object:  # noqa: ANN401 - a type
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        section: type[Any] = hint
        return _read(table.table(key), section)
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and isinstance(inner[0], type) and dataclasses.is_dataclass(inner[0]):
        entry_kind: type[Any] = inner[0]
        return tuple(_read(entry, entry_kind) for entry in table.tables(key))
    if hint == float | None:
        return table.number(key) if table.take(key) is not None else None
    return READERS[hint](table, key, default)


def _platform(table: Table) -> Platform:
    """Return the platform's names, each of them one that exists.

    Raises:
        ProfileError: an unknown kind of backup, a service twice, a Talos role that no pod may have.
    """
    platform = _read(table, Platform)
    names = [one.name for one in platform.services]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise table.error(f"{table.where} [[services]]: {twice[0]} is declared twice", "keep one")
    if unknown := [one for one in platform.services if one.backup not in ("", *BACKUPS)]:
        raise table.error(
            f"{table.where} [[services]] {unknown[0].name}: backup must be one of {', '.join(BACKUPS)}",
            "say how its backups are made",
        )
    if mighty := [role for role in platform.pod_roles if role in MIGHTY_ROLES]:
        raise table.error(
            f"{table.where}: pod_roles must not hold {mighty[0]}", "no pod may be administrator"
        )
    return platform


def _overrides(top: Table) -> dict[str, Override]:
    table = top.table("controls")
    return {_check_id(table, control): _override(table.table(control)) for control in table.values}


def _override(table: Table) -> Override:
    numbers, lists = {}, {}
    for key, value in table.values.items():
        if isinstance(value, list):
            lists[key] = table.texts(key)
        else:
            numbers[key] = table.number(key)
            if not math.isfinite(numbers[key]):
                raise table.complain(key, "a finite number")
    return Override(numbers, lists)


# What an earlier profile called otherwise: table -> (key, where it is now); an empty key is the whole table.
MOVED: dict[str, tuple[tuple[str, str], ...]] = {
    "paths": (("repository", "repositories under [paths], one or several"),),
    "declared": (
        ("", "ID.metric is metric under [controls.ID], ACC-10.rpo_X is rpo_s of [[platform.services]]"),
    ),
    "api": (("path", "paths, a list"),),
}


def _refuse_moved(top: Table) -> None:
    """Refuse a profile from before the names moved, with where each key is now.

    Raises:
        ProfileError: names every key that moved, in one line.
    """
    moved = [
        f"[{section}] {key}".rstrip() + f": {now}"
        for section, keys in MOVED.items()
        if isinstance(top.values.get(section), Mapping)
        for key, now in keys
        if not key or key in top.values[section]
    ]
    if moved:
        raise top.error(
            f"{top.where}: written for an earlier version: " + "; ".join(moved), "move these keys"
        )


def _transaction(table: Table) -> Transaction:
    known = _read(table, Transaction)
    if wrong := known.fault():
        raise table.error(f"{table.where}: {wrong}", "see [[transactions]] in stacks/example.toml")
    return known


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
    return tuple(_standin(table) for table in top.tables("standins"))


def _standin(table: Table) -> Standin:
    one = Standin(
        table.needed("part"), table.needed("reason"), table.texts("systems"), table.texts("controls")
    )
    table.close()
    for control in one.controls:
        _check_id(table, control)
    if not set(one.systems) <= set(SYSTEMS):
        raise table.complain("systems", f"a list of {', '.join(SYSTEMS)}")
    if not one.systems and not one.controls:
        raise table.complain("systems", "given, or controls: which judgements go through the stand-in")
    return one
