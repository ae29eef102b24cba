"""Read a stack profile from its TOML file: a closed set of keys, one-line complaints."""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
from pathlib import Path

from assay.errors import ProfileError
from assay.profile import (
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
from assay.table import Table, read_toml


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
        paths=_paths(top),
        kube=_kube(top),
        talos=_talos(top),
        etcd=_etcd(top),
        tools=_tools(top),
        registry=_registry(top),
        allowlist=_allowlist(top),
        samples=_samples(top),
        api=_api(top),
        oidc=_oidc(top),
        drill=_drill(top),
        vault=_vault(top),
        s3=_s3(top),
        sops=_sops(top),
        sql=_sql(top),
        escrow=_escrow(top),
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


def _paths(top: Table) -> Paths:
    table = top.table("paths")
    paths = Paths(
        infra=table.path("infra"),
        talos=table.path("talos"),
        gitops=table.path("gitops"),
        runbook=table.path("runbook"),
        repository=table.path("repository"),
        machineconfigs=table.path("machineconfigs"),
        overlay=table.path("overlay"),
        backups_doc=table.path("backups_doc"),
        plan=table.paths("plan"),
    )
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
        config=table.path("config", os.environ.get("TALOSCONFIG", "")),
        reader_config=table.path("reader_config"),
        endpoints=table.texts("endpoints"),
        controlplanes=table.mapping("controlplanes"),
        workers=table.mapping("workers"),
        version=table.text("version"),
    )
    table.close()
    return access


def _etcd(top: Table) -> EtcdAccess:
    table = top.table("etcd")
    access = EtcdAccess(table.texts("endpoints"), table.path("ca"), table.path("cert"), table.path("key"))
    table.close()
    return access


def _tools(top: Table) -> Tools:
    table = top.table("tools")
    tools = Tools(**{one.name: table.path(one.name) for one in dataclasses.fields(Tools)})
    table.close()
    return tools


def _registry(top: Table) -> Registry:
    table = top.table("registry")
    registry = Registry(table.text("address"), table.flag("plain_http"))
    table.close()
    return registry


def _allowlist(top: Table) -> AllowList:
    table = top.table("allowlist")
    allowed = AllowList(table.texts("admin"), table.texts("registries"))
    table.close()
    return allowed


def _samples(top: Table) -> Samples:
    table = top.table("samples")
    samples = Samples(
        **{key: table.text(key) for key in ("signed", "unsigned", "otherkey", "otherdigest", "tagmoved")}
    )
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


def _vault(top: Table) -> VaultAccess:
    table = top.table("vault")
    access = VaultAccess(
        addresses=table.texts("addresses"),
        entry=table.text("entry", os.environ.get("VAULT_ADDR", "")),
        ca=table.path("ca", os.environ.get("VAULT_CACERT", "")),
        token=table.path("token"),
        mount=table.text("mount", "kv"),
    )
    table.close()
    return access


def _s3(top: Table) -> S3Access:
    table = top.table("s3")
    access = S3Access(
        endpoint=table.text("endpoint"),
        region=table.text("region", "us-east-1"),
        ca=table.path("ca"),
        buckets=table.mapping("buckets"),
        writer_keys=table.named_paths("writer_keys"),
        reader_key=table.path("reader_key"),
        operator_key=table.path("operator_key"),
    )
    table.close()
    return access


def _sops(top: Table) -> SopsAccess:
    table = top.table("sops")
    access = SopsAccess(
        table.path("binary"), table.path("age_key"), table.path("config"), table.paths("trees")
    )
    table.close()
    return access


def _sql(top: Table) -> SqlAccess:
    table = top.table("sql")
    access = SqlAccess(
        host=table.text("host"),
        port=table.text("port", "5432"),
        ca=table.path("ca"),
        dbname=table.text("dbname"),
        user=table.text("user"),
        password=table.path("password"),
    )
    table.close()
    return access


def _escrow(top: Table) -> Escrow:
    table = top.table("escrow")
    escrow = Escrow(table.path("folder"))
    table.close()
    return escrow


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
