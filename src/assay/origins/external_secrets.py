"""ExternalSecrets and their stores: what each says about where the keys of its Secret come from."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.formats.parsing import parsing
from assay.origins.levels import LATE, ExternalSecretSpec
from assay.origins.template import computes, own, places, touching
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import served
from assay.secretscan.naming import is_fact


GROUP = "external-secrets.io"
STORES = {"SecretStore": "secretstores", "ClusterSecretStore": "clustersecretstores"}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
# What of a reference would have to be done to the source's value again, to compare it.
ALTERED = ("version", "decodingStrategy", "metadataPolicy")
UNJUDGED = "this form of ExternalSecret ({}) is not judged here"
GENERATED = "a generator makes its value"
Item = Mapping[str, Any]
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Store:
    """Where an ExternalSecret reads: `vault` or another provider; the mount, empty where it names none."""

    provider: str
    mount: str = ""


Stores = Mapping[tuple[str, str, str], Store]


@parsing("the cluster's ExternalSecrets")
def external_secret_specs(kube: Kube, mount: str) -> list[ExternalSecretSpec]:
    """Return every ExternalSecret; none where the API knows no such thing.

    Args:
        kube: the cluster.
        mount: the mount of Vault that its values are compared with, `kv`.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    paths = served(kube.wire, GROUP)
    items = kube.wire.items(paths["externalsecrets"]) if "externalsecrets" in paths else []
    stores = {
        (kind, str(one["metadata"].get("namespace", "")), str(one["metadata"]["name"])): _store(one)
        for kind, name in STORES.items()
        for one in (kube.wire.items(paths[name]) if items and name in paths else [])
    }
    return [_synced(one, stores, mount) for one in items]


def _store(item: Item) -> Store:
    given: Item = item["spec"].get("provider") or {"nothing": {}}
    provider, about = next(iter(given.items()))
    return Store(str(provider), str((about or {}).get("path") or ""))


def _synced(item: Item, stores: Stores, mount: str) -> ExternalSecretSpec:
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    target, space, name = spec.get("target") or {}, str(meta["namespace"]), str(meta["name"])
    policy = str(target.get("creationPolicy") or "Owner")
    provider, fault = _source(space, spec, stores, mount)
    direct, odd = _direct(spec, mount)
    extracts, unknown = _extracts(spec, mount)
    template = target.get("template") or {}
    texts, elsewhere = template.get("data") or {}, template.get("templateFrom")
    bad = {key: why for key, text in texts.items() if (why := _odd(key, text, direct))}
    wanted = {
        key: {one: direct[one] for one in places(text)} for key, text in texts.items() if key not in bad
    }
    if (texts or elsewhere) and template.get("mergePolicy") != "Merge":
        direct, odd, extracts, unknown = {}, {}, (), ""
    nothing = "its creationPolicy is None: it writes nothing" if policy == "None" else ""
    return ExternalSecretSpec(
        space, name, str(meta["uid"]), str(target.get("name") or name), provider,
        fault or nothing or _unready(status) or _stale(spec, status),
        direct, extracts, wanted, bad | {key: why for key, why in odd.items() if key not in texts},
        _interval(spec), texts,
        UNJUDGED.format("templateFrom") if elsewhere else unknown or fault, policy, _seen(status),
    )  # fmt: skip


def _source(space: str, spec: Item, stores: Stores, mount: str) -> tuple[str, str]:
    """Return the provider, and why what it reads is not the platform's Vault's, empty if it is."""
    for ref in _references(spec):
        kind, name = str(ref.get("kind") or "SecretStore"), str(ref.get("name", ""))
        store = stores.get((kind, "" if kind == "ClusterSecretStore" else space, name))
        if store is None:
            return "an unknown store", f"its store, {kind} {name}, is not there"
        if store.provider != "vault":
            return store.provider, f"its store is {store.provider}, not Vault"
        if store.mount not in ("", mount):
            return store.provider, f"its store reads {store.mount}, not {mount}: that is not judged here"
    return "vault", ""


def _references(spec: Item) -> Iterator[Item]:
    """Yield the store of each entry; one may name its own, or a generator instead."""
    for one in (*(spec.get("data") or ()), *(spec.get("dataFrom") or ())):
        source = one.get("sourceRef") or {}
        if not source.get("generatorRef"):
            yield source.get("storeRef") or spec.get("secretStoreRef") or {}


def _direct(spec: Item, mount: str) -> tuple[dict[str, Place], dict[str, str]]:
    """Return key -> (path, property) of what is read one by one, and key -> why it cannot be compared."""
    direct, odd = dict[str, Place](), dict[str, str]()
    for one in spec.get("data") or ():
        key, ref = str(one["secretKey"]), one.get("remoteRef") or {}
        if (one.get("sourceRef") or {}).get("generatorRef"):
            odd[key] = GENERATED
        elif form := _form(ref) or ("" if ref.get("property") else "remoteRef without property"):
            odd[key] = UNJUDGED.format(form)
        else:
            direct[key] = (_path(ref, mount), str(ref["property"]))
    return direct, odd


def _extracts(spec: Item, mount: str) -> tuple[tuple[str, ...], str]:
    """Return the paths that are taken whole, and why other keys may be its own, empty where they cannot."""
    entries = [(one, _unlike(one)) for one in spec.get("dataFrom") or ()]
    whole = tuple(_path(one["extract"], mount) for one, why in entries if not why)
    return whole, next((why for _, why in entries if why), "")


def _unlike(entry: Item) -> str:
    """Return why an entry of `dataFrom` is no plain extract, empty if it is one."""
    if (entry.get("sourceRef") or {}).get("generatorRef"):
        return GENERATED
    ref = entry.get("extract")
    if not ref:
        return UNJUDGED.format("dataFrom.find")
    form = "rewrite" if entry.get("rewrite") else "extract.property" if ref.get("property") else _form(ref)
    return UNJUDGED.format(form) if form else ""


def _form(ref: Item) -> str:
    return next((name for name in ALTERED if ref.get(name, "None") not in ("None", "")), "")


def _path(ref: Item, mount: str) -> str:
    """Return the path below the mount; it may be written with the mount before it."""
    key = str(ref["key"])
    inner = key.removeprefix(f"{mount}/")
    return inner if inner == key else inner.removeprefix("data/")


def _odd(key: str, text: str, direct: Collection[str]) -> str:
    """Return why a template is no mere arrangement of the source's values, empty if it is."""
    if computes(text):
        return f"the template of {key} computes: {UNJUDGED.format('a template with functions')}"
    if unknown := sorted(set(places(text)) - set(direct)):
        return f"the template of {key} takes {', '.join(unknown)}, which is not declared one by one"
    if touching(text):
        return f"the template of {key} has nothing between two values: {UNJUDGED.format('such a template')}"
    if own(text) or not (places(text) or is_fact(key)):
        return f"the template of {key} holds a text of its own"
    return ""


def _unready(status: Item) -> str:
    ready = [one for one in status.get("conditions") or () if one.get("type") == "Ready"]
    return "" if ready and ready[0].get("status") == "True" else "its ExternalSecret is not Ready"


def _interval(spec: Item) -> float:
    if spec.get("refreshPolicy") in ("CreatedOnce", "OnChange"):
        return 0.0
    text = str(spec.get("refreshInterval", "1h"))
    if text.startswith("-"):
        return 0.0
    return sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(text))


def _stale(spec: Item, status: Item) -> str:
    interval, seen = _interval(spec), _seen(status)
    if interval <= 0:
        return "its ExternalSecret never looks at the source again"
    if not seen:
        return "its ExternalSecret never looked at the source"
    age = time.time() - seen
    return f"its ExternalSecret last looked {age:.0f} s ago" if age > 2 * interval + LATE else ""


def _seen(status: Item) -> float:
    """Return when it last looked at the source, in seconds since 1970; 0: never."""
    try:
        return dt.datetime.fromisoformat(str(status.get("refreshTime", ""))).timestamp()
    except ValueError:
        return 0.0


def templates(external_secret_specs: Iterable[ExternalSecretSpec]) -> dict[tuple[str, str], dict[str, str]]:
    """Return (namespace, Secret) -> (key -> template) of every ExternalSecret that renders keys."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for one in external_secret_specs:
        known = {key: text for key, text in one.texts.items() if key not in one.odd}
        found.setdefault((one.space, one.target), {}).update(known)
    return found
