"""The Secrets of a cluster as marks, and what says where they come from. No value leaves this module."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from assay.errors import ProbeError
from assay.probes.kube import Kube
from assay.probes.kube_paths import collection
from assay.provenance.ladder import LATE, LEAST, Held, Synced
from assay.provenance.marks import Marker
from assay.provenance.naming import innocent, strong


STORES = "/apis/external-secrets.io/v1/secretstores"
SYNCED = "/apis/external-secrets.io/v1/externalsecrets"
PLACE = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}")
CODE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
HOST = re.compile(r"[a-z0-9.-]+")
SHORT = 6
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
Templates = Mapping[tuple[str, str], Mapping[str, str]]
Item = Mapping[str, Any]


def held(kube: Kube, marker: Marker, templates: Templates) -> list[Held]:
    """Return every Secret of every namespace.

    Args:
        kube: the cluster.
        marker: marks the values.
        templates: (namespace, Secret) -> (key -> template) of those that are rendered.

    Raises:
        ProbeError: the list is denied or not whole, or a value is no base64.
    """
    return [_held(item, marker, templates) for item in kube.wire.items(collection("Secret"))]


def _held(item: Item, marker: Marker, templates: Templates) -> Held:
    meta = item["metadata"]
    place = _place(item)
    values = {key: _raw(place, key, text) for key, text in (item.get("data") or {}).items()}
    owners = tuple((o["kind"], o["name"], o["uid"]) for o in meta.get("ownerReferences") or ())
    rendered = templates.get(place, {})
    pieces = {key: found for key, template in rendered.items()
              if key in values and (found := _pieces(values[key], template, marker)) is not None}  # fmt: skip
    return Held(
        *place, str(item.get("type", "")), owners, _writers(meta),
        {key: marker.mark(raw) for key, raw in values.items()}, pieces,
        frozenset(marker.mark(raw.strip()) for raw in values.values() if _private(raw)),
        dict(meta.get("annotations") or {}),
    )  # fmt: skip


def _raw(place: tuple[str, str], key: str, text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise ProbeError(f"Secret {'/'.join(place)}: {key} is no base64", "ask again") from None


def _writers(meta: Item) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for entry in meta.get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        for part in ("f:data", "f:stringData"):
            for key in fields.get(part) or {}:
                if key.startswith("f:"):
                    found.setdefault(key[2:], set()).add(str(entry.get("manager", "")))
    return {key: frozenset(who) for key, who in found.items()}


def _private(raw: bytes) -> bool:
    """Return whether no innocent text holds this value by chance: random, and no public material."""
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        return False
    return LEAST <= len(text) <= 256 and not innocent(text) and strong(text)


def _pieces(raw: bytes, template: str, marker: Marker) -> dict[str, bytes] | None:
    """Return what stands for each placeholder of a template, marked; None where the value does not fit it."""
    names = PLACE.findall(template)
    text = re.escape("\0").join([re.escape(part) for part in PLACE.sub("\0", template).split("\0")])
    for _ in names:
        text = text.replace(re.escape("\0"), "(.*?)", 1)
    try:
        match = re.fullmatch(text, raw.decode(), re.DOTALL)
    except UnicodeDecodeError:
        return None
    if match is None:
        return None
    if len(set(zip(names, match.groups(), strict=True))) != len(set(names)):
        return None  # one placeholder, two texts: one of them is not the source's
    return {name: marker.mark(one.encode()) for name, one in zip(names, match.groups(), strict=True)}


def synced(kube: Kube) -> list[Synced]:
    """Return every ExternalSecret; none where the API knows no such thing.

    Raises:
        ProbeError: a list is denied or not whole.
    """
    absent = kube.wire.ask("GET", f"{SYNCED}?limit=1").status == 404
    items = [] if absent else kube.wire.items(SYNCED)
    stores = {
        _place(one): next(iter(one["spec"]["provider"]), "")
        for one in (kube.wire.items(STORES) if items else [])
    }
    return [_synced(one, stores) for one in items]


def _place(item: Item) -> tuple[str, str]:
    return str(item["metadata"]["namespace"]), str(item["metadata"]["name"])


def _synced(item: Item, stores: Mapping[tuple[str, str], str]) -> Synced:
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    target, reference = spec.get("target") or {}, spec.get("secretStoreRef") or {}
    space, name = _place(item)
    provider = stores.get((space, str(reference.get("name", ""))), "an unknown store")
    direct = {one["secretKey"]: (one["remoteRef"]["key"], one["remoteRef"].get("property", ""))
              for one in spec.get("data") or ()}  # fmt: skip
    sources = spec.get("dataFrom") or ()
    extracts = tuple(one["extract"]["key"] for one in sources if "extract" in one)
    data = (target.get("template") or {}).get("data") or {}
    rendered = {key: {n: direct[n] for n in PLACE.findall(text) if n in direct} for key, text in data.items()}
    odd = {key: why for key, text in data.items() if (why := _odd(key, text, direct))}
    faults = [
        "" if provider == "vault" else f"its store is {provider}, not Vault",
        "a generator makes its values" if any("sourceRef" in one for one in sources) else "",
        _unready(status),
        _stale(spec, status),
    ]
    return Synced(
        space, name, str(meta["uid"]), str(target.get("name") or name), provider,
        next((why for why in faults if why), ""), direct, extracts,
        {key: wanted for key, wanted in rendered.items() if key not in odd}, odd, _interval(spec), data,
    )  # fmt: skip


def _odd(key: str, text: str, direct: Iterable[str]) -> str:
    """Return why a template is no mere arrangement of the source's values, empty if it is."""
    names = PLACE.findall(text)
    if _computes(text):
        return f"the template of {key} computes; what it makes is compared with nothing"
    if unknown := sorted(set(names) - set(direct)):
        return f"the template of {key} takes {', '.join(unknown)}, which is not declared one by one"
    literals = re.split(r"[\s\"'=:;,@/&?]+", PLACE.sub(" ", text))
    if not names or any(_own(word) for word in literals):
        return f"the template of {key} holds a text of its own"
    return ""


def _own(word: str) -> bool:
    """Return whether a literal of a template may be a secret of its own; a host name is none."""
    return strong(word) or (strong(word, SHORT) and not innocent(word) and not HOST.fullmatch(word))


def _unready(status: Item) -> str:
    ready = [one for one in status.get("conditions") or () if one.get("type") == "Ready"]
    return "" if ready and ready[0].get("status") == "True" else "its ExternalSecret is not Ready"


def _interval(spec: Item) -> float:
    if spec.get("refreshPolicy") in ("CreatedOnce", "OnChange"):
        return 0.0
    text = str(spec.get("refreshInterval", "1h"))
    return sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(text))


def _stale(spec: Item, status: Item) -> str:
    interval = _interval(spec)
    if interval <= 0:
        return "its ExternalSecret never looks at the source again"
    try:
        then = dt.datetime.fromisoformat(str(status.get("refreshTime", "")))
    except ValueError:
        return "its ExternalSecret never looked at the source"
    age = time.time() - then.timestamp()
    return f"its ExternalSecret last looked {age:.0f} s ago" if age > 2 * interval + LATE else ""


def templates(synced: Iterable[Synced]) -> dict[tuple[str, str], dict[str, str]]:
    """Return (namespace, Secret) -> (key -> template) of every ExternalSecret that renders keys."""
    return {
        (one.space, one.target): {key: text for key, text in one.texts.items() if not _computes(text)}
        for one in synced
        if one.texts
    }


def _computes(text: str) -> bool:
    return CODE.search(PLACE.sub("", text)) is not None
