"""The ladder of proof: how far the origin of one data key of a Secret is shown. Pure judgement.

R0 it is neither Vault's nor SOPS', and the policy says whose it is; R1 declared: something in Git or in the
API says where it comes from; R2 linked: that something owns the Secret and works; R3 one writer: nobody else
ever wrote the key; R4 equal: the value is the source's, now. R5, it follows a rotation, is SEC-26's. A value
is never seen here, only marks of it (see `marks`).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assay.errors import AssumptionError
from assay.provenance.marks import same


NOTHING, CLASSIFIED, DECLARED, LINKED, EXCLUSIVE, EQUAL = "-", "R0", "R1", "R2", "R3", "R4"
ORDER = (NOTHING, DECLARED, LINKED, EXCLUSIVE, EQUAL)
OPERATOR = "externalsecrets.external-secrets.io"
LATE = 120.0
# Characters of the shortest value that is looked for elsewhere: no innocent text has it by chance.
LEAST = 12


@dataclass(frozen=True, slots=True)
class Held:
    """A Secret as it lies in the cluster.

    Attributes:
        space: its namespace.
        name: its name.
        kind: its type, `Opaque`.
        owners: kind, name and UID of each owner.
        writers: key -> who wrote it, by managed fields.
        marks: key -> mark of its value.
        pieces: key -> (placeholder -> mark of what stands in its place), for keys that a template renders; a
            value that does not fit its template has no entry.
        private: marks of the values that no innocent text contains by chance, without white space around.
        annotations: as they are: a text beside the values, in which a copy of one may lie.
    """

    space: str
    name: str
    kind: str
    owners: tuple[tuple[str, str, str], ...]
    writers: Mapping[str, frozenset[str]]
    marks: Mapping[str, bytes] = field(repr=False)
    pieces: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    private: frozenset[bytes] = field(default=frozenset(), repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def named(self) -> str:
        """Return `Secret namespace/name`."""
        return f"Secret {self.space}/{self.name}"


@dataclass(frozen=True, slots=True)
class Synced:
    """What an ExternalSecret says: where each key of its Secret comes from, and whether it is kept so.

    Attributes:
        space: its namespace.
        name: its name.
        uid: its UID.
        target: the Secret's name.
        provider: of the store it reads: `vault`, or another.
        fault: why it does not keep the Secret as the source has it; empty where it does.
        direct: key -> (path, property) of the source.
        extracts: paths whose every property becomes a key.
        templates: key -> (placeholder -> (path, property)); the placeholders of `direct` where a template is.
        odd: keys whose template computes, or holds a secret of its own, with what.
        interval: seconds between two looks at the source; 0: it never looks again.
        texts: key -> template, as written.
    """

    space: str
    name: str
    uid: str
    target: str
    provider: str
    fault: str
    direct: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    extracts: tuple[str, ...] = ()
    templates: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)
    odd: Mapping[str, str] = field(default_factory=dict)
    interval: float = 0.0
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def named(self) -> str:
        """Return `ExternalSecret namespace/name`."""
        return f"ExternalSecret {self.space}/{self.name}"

    @property
    def paths(self) -> frozenset[str]:
        """Return every path it reads."""
        rendered = [path for one in self.templates.values() for path, _ in one.values()]
        return frozenset([*self.extracts, *rendered, *(path for path, _ in self.direct.values())])


@dataclass(frozen=True, slots=True)
class Filed:
    """A Secret as an encrypted file has it: the file, and key -> mark of the value."""

    where: str
    space: str
    name: str
    marks: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """How far the origin of one key is shown: the rung, the source in words, and what would raise it."""

    secret: str
    space: str
    key: str
    rung: str
    source: str
    missing: str = ""

    @property
    def named(self) -> str:
        """Return `Secret namespace/name`."""
        return self.secret

    @property
    def proven(self) -> bool:
        """Return whether it is R4, or classified as neither."""
        return self.rung in (CLASSIFIED, EQUAL)


@dataclass(frozen=True, slots=True)
class Neither:
    """A Secret that a controller makes for itself: `name glob|type|writer=reason` of a policy."""

    glob: str
    kind: str
    writer: str
    reason: str

    @classmethod
    def read(cls, entry: str) -> Neither:
        """Return the parsed entry.

        Raises:
            AssumptionError: it is not written so.
        """
        left, sign, reason = entry.partition("=")
        parts = left.split("|")
        if not sign or not reason or len(parts) != 3 or not all(parts):
            raise AssumptionError(f"{entry!r} is no `glob|type|writer=reason`", "mend the policy's list")
        glob, kind, writer = parts
        return cls(glob, kind, writer, reason)

    def fits(self, held: Held) -> bool:
        """Return whether name, type and the writer of every key are as it says."""
        known = fnmatch.fnmatchcase(f"{held.space}/{held.name}", self.glob) and held.kind == self.kind
        return known and all(held.writers.get(key) == frozenset({self.writer}) for key in held.marks)


@dataclass(frozen=True, slots=True)
class Sources:
    """All that keys may come from; `entries` is path -> (property -> mark in hexadecimal)."""

    synced: Sequence[Synced]
    filed: Sequence[Filed]
    entries: Mapping[str, Mapping[str, str]]
    neither: Sequence[Neither]
    deployer: str


def climb(helds: Iterable[Held], sources: Sources) -> list[Step]:
    """Return how far each key of each Secret is proven, in the order of the Secrets."""
    by_target: dict[tuple[str, str], list[Synced]] = {}
    for one in sources.synced:
        by_target.setdefault((one.space, one.target), []).append(one)
    files: dict[tuple[str, str], list[Filed]] = {}
    for two in sources.filed:
        files.setdefault((two.space, two.name), []).append(two)
    return [
        step
        for held in helds
        for step in _of(held, by_target.get((held.space, held.name), []),
                        files.get((held.space, held.name), []), sources)
    ]  # fmt: skip


def _of(held: Held, synced: list[Synced], filed: list[Filed], sources: Sources) -> Iterable[Step]:
    rule = next((one for one in sources.neither if one.fits(held)), None)
    for key in held.marks:
        owner = next((one for one in synced if _declares(one, key, sources)), None)
        mine = [one for one in filed if key in one.marks]
        if owner is not None:
            yield _step(held, key, _vault_source(owner, key), _from_vault(held, key, owner, sources))
        elif len(mine) > 1:
            both = " and ".join(one.where for one in mine)
            yield Step(held.named, held.space, key, NOTHING, "", f"{both} both say what it is")
        elif mine:
            yield _step(held, key, f"SOPS {mine[0].where}", _from_file(held, key, mine[0], sources.deployer))
        elif rule is not None:
            yield Step(held.named, held.space, key, CLASSIFIED, rule.reason)
        elif synced or filed:
            what = f"ExternalSecret {synced[0].name}" if synced else f"SOPS {filed[0].where}"
            yield Step(held.named, held.space, key, NOTHING, "", f"{what} does not know this key")
        else:
            yield Step(held.named, held.space, key, NOTHING, "", "neither an ExternalSecret nor a SOPS file")


def _declares(one: Synced, key: str, sources: Sources) -> bool:
    if one.templates or one.odd:
        return key in one.templates or key in one.odd
    return key in one.direct or any(key in sources.entries.get(path, {}) for path in one.extracts)


def _vault_source(one: Synced, key: str) -> str:
    path = one.direct[key][0] if key in one.direct else ", ".join(sorted(one.paths))
    return f"{one.provider} {path} by ExternalSecret {one.name}"


def _step(held: Held, key: str, source: str, checks: Iterable[str]) -> Step:
    """Return the rung below the first check that says why it fails; each check is one rung, from R2 on."""
    for rung, why in zip(ORDER[1:], checks, strict=False):
        if why:
            return Step(held.named, held.space, key, rung, source, why)
    return Step(held.named, held.space, key, EQUAL, source)


def _from_vault(held: Held, key: str, one: Synced, sources: Sources) -> Iterable[str]:
    owned = ("ExternalSecret", one.name, one.uid) in held.owners
    yield one.fault or ("" if owned else f"ExternalSecret {one.name} does not own it")
    yield _other_writers(held, key, f"{OPERATOR}/{one.name}")
    if key in one.odd:
        yield one.odd[key]
    elif key in one.templates:
        yield _rendered(held, key, one.templates[key], sources)
    else:
        wanted = [one.direct[key]] if key in one.direct else [(path, key) for path in one.extracts]
        digests = [sources.entries.get(path, {}).get(name) for path, name in wanted]
        known = [bytes.fromhex(one) for one in digests if one]
        equal = bool(known) and same(known[-1], held.marks[key])
        yield "" if equal else "its value is not the source's" if known else "the source has no such value"


def _rendered(held: Held, key: str, wanted: Mapping[str, tuple[str, str]], sources: Sources) -> str:
    pieces = held.pieces.get(key)
    if pieces is None:
        return "its value does not fit the template"
    for name, (path, part) in wanted.items():
        digest = sources.entries.get(path, {}).get(part)
        if digest is None or name not in pieces or not same(bytes.fromhex(digest), pieces[name]):
            return f"what stands for {name} is not the source's"
    return ""


def _from_file(held: Held, key: str, filed: Filed, deployer: str) -> Iterable[str]:
    writers = held.writers.get(key, frozenset())
    yield "" if deployer in writers else f"{deployer}, who deploys, did not write it"
    yield _other_writers(held, key, deployer)
    yield "" if same(filed.marks[key], held.marks[key]) else "its value is not the file's"


def _other_writers(held: Held, key: str, only: str) -> str:
    others = sorted(held.writers.get(key, frozenset({"nobody known"})) - {only})
    return f"written by {', '.join(others)} too" if others else ""
