"""ExternalSecrets and their stores: what each says about where the keys of its Secret come from."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from assay.formats.parsing import parsing
from assay.origins.levels import LATE_S
from assay.origins.sources import OWNER, ExternalSecretSpec
from assay.origins.template import PLACE, WHOLE_ENTRY, computed, computes, own, places, touching
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
# Generators that make a value or have a provider issue one; a Fake holds it in clear, and what a Webhook answers
# nobody knows.
GENERATORS = frozenset(
    ("ACRAccessToken", "CloudsmithAccessToken", "ECRAuthorizationToken", "GCRAccessToken", "GithubAccessToken",
     "Grafana", "Password", "QuayAccessToken", "SSHKey", "STSSessionToken", "UUID", "VaultDynamicSecret")
)  # fmt: skip
UNKNOWN = "a generator that may hold anything makes its value"
COMPUTED = "the operator computes it from the source"
FOUND = "the operator finds and names it in the source"
Item = Mapping[str, Any]
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Store:
    """Where an ExternalSecret reads: `vault` or another provider, and the mount there."""

    provider: str
    mount: str = ""


Stores = Mapping[tuple[str, str, str], Store]


@parsing("the cluster's ExternalSecrets")
def external_secret_specs(kube: Kube, mount: str) -> list[ExternalSecretSpec]:
    """Return every ExternalSecret; none where the API knows no such thing.

    Args:
        kube: the cluster.
        mount: the mount of Vault for a store that names none, `kv`.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    paths = served(kube.wire, GROUP)
    items = kube.wire.items(paths["externalsecrets"]) if "externalsecrets" in paths else []
    stores = {
        (kind, str(one["metadata"].get("namespace", "")), str(one["metadata"]["name"])): _store(one, mount)
        for kind, name in STORES.items()
        for one in (kube.wire.items(paths[name]) if items and name in paths else [])
    }
    return [_spec(one, stores) for one in items]


def _store(item: Item, mount: str) -> Store:
    given: Item = item["spec"].get("provider") or {"nothing": {}}
    provider, about = next(iter(given.items()))
    return Store(str(provider), str((about or {}).get("path") or mount))


def _spec(item: Item, stores: Stores) -> ExternalSecretSpec:
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    target, space, name = spec.get("target") or {}, str(meta["namespace"]), str(meta["name"])
    policy = str(target.get("creationPolicy") or OWNER)
    reads = _Reads(space, spec, stores)
    provider, fault = reads.provider()
    written = "its creationPolicy is None: it writes nothing" if policy == "None" else ""
    about = ExternalSecretSpec(
        space=space,
        name=name,
        uid=str(meta["uid"]),
        target=str(target.get("name") or name),
        provider=provider,
        fault=fault or written or _unready(status) or _stale(spec, status),
        interval=_interval(spec),
        unlisted=fault,
        policy=policy,
        refreshed=_refreshed(status),
        immutable=bool(target.get("immutable")),
    )
    return _with_keys(about, reads, target.get("template") or {})


def _with_keys(about: ExternalSecretSpec, reads: _Reads, template: Item) -> ExternalSecretSpec:
    """Return the specification with the keys that it makes: read one by one, taken whole, or rendered."""
    direct, incomparable = reads.one_by_one()
    extracts, unlisted = reads.whole()
    texts, from_elsewhere = template.get("data") or {}, template.get("templateFrom")
    known = _Known(direct, extracts, open=bool(unlisted))
    bad = {key: why for key, text in texts.items() if (why := _template_fault(key, text, known))}
    computed = {key: COMPUTED for key, text in texts.items() if key not in bad and not known.comparable(text)}
    rendered = {
        key: {one: known[one] for one in places(text)}
        for key, text in texts.items()
        if key not in bad and key not in computed
    }
    found = reads.found()
    if (texts or from_elsewhere) and template.get("mergePolicy") != "Merge":
        direct, incomparable, extracts, unlisted = {}, {}, (), ""
    kept = {key: why for key, why in incomparable.items() if key not in texts}
    decided = {key: why for key, why in kept.items() if not why.startswith(UNKNOWN)}
    return replace(
        about,
        direct=direct,
        extracts=extracts,
        templates=rendered,
        incomparable=bad | {key: why for key, why in kept.items() if key not in decided},
        computed=computed | decided,
        found=COMPUTED if from_elsewhere and found else found,
        texts=texts,
        unlisted=UNJUDGED.format("templateFrom") if from_elsewhere else unlisted or about.unlisted,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What a template may take: entries that are declared one by one, and the properties of one taken whole."""

    direct: Mapping[str, Place]
    extracts: tuple[str, ...]
    open: bool

    def __getitem__(self, name: str) -> Place:
        return self.direct[name] if name in self.direct else (self.extracts[0], name)

    def unknown(self, text: str) -> list[str]:
        """Return what a template takes and nobody declares."""
        some = bool(self.extracts) or self.open
        return [] if some else sorted(set(places(text)) - set(self.direct))

    def comparable(self, text: str) -> bool:
        """Return whether it can be told from a value what stands for each place, and where that comes from."""
        sure = set(places(text)) <= set(self.direct) or (len(self.extracts) == 1 and not self.open)
        return sure and not computes(text) and not touching(text)


@dataclass(frozen=True, slots=True)
class _Reads:
    """What an ExternalSecret of the namespace `space` reads, and from which stores."""

    space: str
    spec: Item
    stores: Stores

    def provider(self) -> tuple[str, str]:
        """Return the provider, and why what it reads is not Vault's, empty if it is."""
        entries = [*(self.spec.get("data") or ()), *(self.spec.get("dataFrom") or ())]
        for entry in entries:
            if (entry.get("sourceRef") or {}).get("generatorRef"):
                continue
            kind, name, store = self._store(entry)
            if store is None:
                return "an unknown store", f"its store, {kind} {name}, is not there"
            if store.provider != "vault":
                return store.provider, f"its store is {store.provider}, not Vault"
        return "vault", ""

    def one_by_one(self) -> tuple[dict[str, Place], dict[str, str]]:
        """Return key -> (path, property) of what is read one by one, and key -> why it cannot be compared."""
        direct, incomparable = dict[str, Place](), dict[str, str]()
        for entry in self.spec.get("data") or ():
            key, ref = str(entry["secretKey"]), entry.get("remoteRef") or {}
            if made := (entry.get("sourceRef") or {}).get("generatorRef"):
                known = made.get("kind") in GENERATORS
                incomparable[key] = GENERATED if known else UNKNOWN
            elif form := _form(ref) or ("" if ref.get("property") else "remoteRef without property"):
                incomparable[key] = UNJUDGED.format(form)
            else:
                direct[key] = (self._path(entry, ref), str(ref["property"]))
        return direct, incomparable

    def whole(self) -> tuple[tuple[str, ...], str]:
        """Return the paths that are taken whole, and why other keys may be its own, empty where they cannot."""
        entries = [(one, _extract_fault(one)) for one in self.spec.get("dataFrom") or ()]
        paths = tuple(self._path(one, one["extract"]) for one, why in entries if not why)
        return paths, next((why for _, why in entries if why), "")

    def found(self) -> str:
        """Return how keys that are not named come from the source alone; empty where a generator may be anything."""
        kinds = [ref.get("kind") for one in self.spec.get("dataFrom") or ()
                 if (ref := (one.get("sourceRef") or {}).get("generatorRef"))]  # fmt: skip
        if any(kind not in GENERATORS for kind in kinds):
            return ""
        return GENERATED if kinds else FOUND

    def _store(self, entry: Item) -> tuple[str, str, Store | None]:
        """Return kind, name and store of one entry, which may name its own; None where it is not there."""
        ref = (entry.get("sourceRef") or {}).get("storeRef") or self.spec.get("secretStoreRef") or {}
        kind, name = str(ref.get("kind") or "SecretStore"), str(ref.get("name", ""))
        return kind, name, self.stores.get((kind, "" if kind == "ClusterSecretStore" else self.space, name))

    def _path(self, entry: Item, ref: Item) -> str:
        """Return the path in Vault, which begins with the mount, without the `data` of version 2's API."""
        _, _, store = self._store(entry)
        mount = store.mount if store else ""
        inner = str(ref["key"])
        if inner.startswith(f"{mount}/"):
            inner = inner.removeprefix(f"{mount}/").removeprefix("data/")
        return f"{mount}/{inner}"


def _extract_fault(entry: Item) -> str:
    """Return why an entry of `dataFrom` is not a plain extract, empty if it is one."""
    if (entry.get("sourceRef") or {}).get("generatorRef"):
        return GENERATED
    ref = entry.get("extract")
    if not ref:
        return UNJUDGED.format("dataFrom.find")
    form = "rewrite" if entry.get("rewrite") else "extract.property" if ref.get("property") else _form(ref)
    return UNJUDGED.format(form) if form else ""


def _form(ref: Item) -> str:
    return next((name for name in ALTERED if ref.get(name, "None") not in ("None", "")), "")


def _template_fault(key: str, text: str, known: _Known) -> str:
    """Return why a template holds more than the source's values, empty if it does not."""
    if unknown := known.unknown(text):
        return f"the template of {key} takes {', '.join(unknown)}, which is not declared one by one"
    code = computes(text)
    if own(computed(PLACE.sub(" ", text))) or not (code or places(text) or is_fact(key)):
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
    return seconds(text)


def seconds(duration: str) -> float:
    """Return the seconds of a duration as Go writes it: `1h30m`; 0 where there is none."""
    return sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(duration))


def _stale(spec: Item, status: Item) -> str:
    interval, seen = _interval(spec), _refreshed(status)
    if interval <= 0:
        return "its ExternalSecret never looks at the source again"
    if not seen:
        return "its ExternalSecret never looked at the source"
    age = time.time() - seen
    return f"its ExternalSecret last looked {age:.0f} s ago" if age > 2 * interval + LATE_S else ""


def _refreshed(status: Item) -> float:
    """Return when it last looked at the source, in seconds since 1970; 0: never."""
    try:
        return dt.datetime.fromisoformat(str(status.get("refreshTime", ""))).timestamp()
    except ValueError:
        return 0.0


def templates(specs: Iterable[ExternalSecretSpec]) -> dict[tuple[str, str], dict[str, str]]:
    """Return (namespace, Secret) -> (key -> template) of every key that is rendered, or holds a whole entry."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for one in specs:
        known = {key: text for key, text in one.texts.items() if key not in one.incomparable}
        known |= dict.fromkeys(one.whole, WHOLE_ENTRY)
        found.setdefault((one.space, one.target), {}).update(known)
    return found
