"""The ladder of proof: how far the origin of one data key of a Secret is shown. Pure judgement.

R0 it is neither Vault's nor SOPS', and the policy says whose it is; R1 declared: something in Git or in the
API says where it comes from; R2 linked: that something owns the Secret and works; R3 one writer: nobody else
ever wrote the key; R4 equal: the value is the source's, now. R5, it follows a rotation, is SEC-26's. A value
is never seen here, only marks of it (see `marks`).
"""

from __future__ import annotations

import fnmatch
import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.errors import AssumptionError
from assay.secretscan.fingerprint import same_fingerprint


NOTHING, CLASSIFIED, DECLARED, LINKED, EXCLUSIVE, EQUAL = "-", "R0", "R1", "R2", "R3", "R4"
ORDER = (NOTHING, DECLARED, LINKED, EXCLUSIVE, EQUAL)
# Rung R3, and Vault's value is newer than the last look at it: it is due, not wrong.
PENDING = "R3, pending"
OWNER = "Owner"
OPERATOR = "externalsecrets.external-secrets.io"
# A field manager's name that were longer is a digest.
LONGEST_MANAGER = 63
LATE = 120.0
NOBODY = "nobody"
UNKNOWN = frozenset({"nobody known"})
FOLLOWS = "R5: a rotation that is followed (SEC-26)"


@dataclass(frozen=True, slots=True)
class SecretObject:
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
    def ref(self) -> str:
        """Return `Secret namespace/name`."""
        return f"Secret {self.space}/{self.name}"


@dataclass(frozen=True, slots=True)
class ExternalSecretSpec:
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
        templates: key -> (placeholder -> (path, property)), of keys that a template renders.
        odd: keys that cannot be compared, or whose template holds a secret of its own, with why.
        interval: seconds between two looks at the source; 0: it never looks again.
        texts: key -> template, as written.
        unknown: why keys that are not named here may be its own all the same; empty where they cannot.
        policy: `Owner`; or `Orphan` or `Merge`: it writes its keys into a Secret that it does not own.
        seen: when it last looked at the source, in seconds since 1970; 0: never.
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
    unknown: str = ""
    policy: str = OWNER
    seen: float = 0.0

    @property
    def ref(self) -> str:
        """Return `ExternalSecret namespace/name`."""
        return f"ExternalSecret {self.space}/{self.name}"

    @property
    def makes(self) -> str:
        """Return `Secret namespace/name`."""
        return f"Secret {self.space}/{self.target}"

    @property
    def manager(self) -> str:
        """Return the field manager's name under which the operator writes for it."""
        known = f"{OPERATOR}/{self.name}"
        if len(known) <= LONGEST_MANAGER:
            return known
        return f"{OPERATOR}/sha3/{hashlib.sha3_224(self.name.encode()).hexdigest()}"

    @property
    def paths(self) -> frozenset[str]:
        """Return every path it reads."""
        rendered = [path for one in self.templates.values() for path, _ in one.values()]
        return frozenset([*self.extracts, *rendered, *(path for path, _ in self.direct.values())])

    def read(self, key: str) -> frozenset[str]:
        """Return the paths that one key comes from."""
        if key in self.templates:
            return frozenset(path for path, _ in self.templates[key].values())
        return frozenset([self.direct[key][0]] if key in self.direct else self.extracts)


@dataclass(frozen=True, slots=True)
class SopsSecret:
    """A Secret as an encrypted file has it: the file, and key -> mark of the value."""

    where: str
    space: str
    name: str
    marks: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProvenanceStep:
    """How far the origin of one key is shown: the rung, the source in words, and what would raise it.

    `owner` is who answers for the value: an ExternalSecret, a SOPS file, a controller, a machine, or nobody.
    """

    secret: str
    space: str
    key: str
    rung: str
    source: str
    missing: str = ""
    owner: str = NOBODY

    @property
    def ref(self) -> str:
        """Return `Secret namespace/name`, or `Machine name`."""
        return self.secret

    @property
    def above(self) -> str:
        """Return what would raise it: the next proof, or what is missing; the reason where it is classified."""
        known = {EQUAL: self.missing or FOLLOWS, CLASSIFIED: self.source}
        return known.get(self.rung, self.missing)

    @property
    def proven(self) -> bool:
        """Return whether it is R4, or about to be, or classified as neither."""
        return self.rung in (CLASSIFIED, PENDING, EQUAL)


@dataclass(frozen=True, slots=True)
class ControllerOwned:
    """A Secret that a controller makes for itself: `name glob|type|writer=reason` of a policy."""

    glob: str
    kind: str
    writer: str
    reason: str

    @classmethod
    def read(cls, entry: str) -> ControllerOwned:
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

    def fits(self, held: SecretObject, key: str) -> bool:
        """Return whether name, type and the writer of one key are as it says."""
        known = fnmatch.fnmatchcase(f"{held.space}/{held.name}", self.glob) and held.kind == self.kind
        return known and held.writers.get(key) == frozenset({self.writer})


@dataclass(frozen=True, slots=True)
class Sources:
    """All that keys may come from, and when this was looked at, in seconds since 1970.

    `entries` is path -> (property -> mark in hexadecimal), `written` is path -> when its value was written.
    """

    synced: Sequence[ExternalSecretSpec]
    filed: Sequence[SopsSecret]
    entries: Mapping[str, Mapping[str, str]]
    neither: Sequence[ControllerOwned]
    deployer: str
    written: Mapping[str, float] = field(default_factory=dict)
    now: float = field(default_factory=time.time)


def classify_secrets(helds: Iterable[SecretObject], sources: Sources) -> list[ProvenanceStep]:
    """Return how far each key of each Secret is proven, in the order of the Secrets."""
    by_target: dict[tuple[str, str], list[ExternalSecretSpec]] = {}
    for one in sources.synced:
        by_target.setdefault((one.space, one.target), []).append(one)
    files: dict[tuple[str, str], list[SopsSecret]] = {}
    for two in sources.filed:
        files.setdefault((two.space, two.name), []).append(two)
    return [
        _of(held, key, by_target.get((held.space, held.name), []), _filed(held, files), sources)
        for held in helds
        for key in held.marks
    ]


def _filed(held: SecretObject, files: Mapping[tuple[str, str], list[SopsSecret]]) -> list[SopsSecret]:
    """Return the files of a Secret; one without a namespace is given it when it is deployed."""
    return files.get((held.space, held.name)) or files.get(("", held.name), [])


def _of(
    held: SecretObject, key: str, synced: list[ExternalSecretSpec], filed: list[SopsSecret], sources: Sources
) -> ProvenanceStep:
    if owner := next((one for one in synced if _declares(one, key, sources)), None):
        return _vaults(held, key, owner, sources)
    if mine := [one for one in filed if key in one.marks]:
        return _files(held, key, mine, sources.deployer)
    if rule := next((one for one in sources.neither if one.fits(held, key)), None):
        who = f"controller {rule.writer}"
        return ProvenanceStep(held.ref, held.space, key, CLASSIFIED, rule.reason, owner=who)
    if owner := next((one for one in synced if one.unknown), None):
        who = f"ExternalSecret {owner.name}"
        return ProvenanceStep(
            held.ref, held.space, key, DECLARED, f"{owner.provider} by {who}", owner.unknown, who
        )
    if synced or filed:
        what = f"ExternalSecret {synced[0].name}" if synced else f"SOPS {filed[0].where}"
        return ProvenanceStep(held.ref, held.space, key, NOTHING, "", f"{what} does not know this key")
    return ProvenanceStep(held.ref, held.space, key, NOTHING, "", "neither an ExternalSecret nor a SOPS file")


def _vaults(held: SecretObject, key: str, one: ExternalSecretSpec, sources: Sources) -> ProvenanceStep:
    who, paths = f"ExternalSecret {one.name}", ", ".join(sorted(one.read(key)))
    step = _step(held, key, who, f"{one.provider} {paths} by {who}", _from_vault(held, key, one, sources))
    if step.rung == EXCLUSIVE and (awaited := _awaited(one, key, sources)):
        return replace(step, rung=PENDING, missing=awaited)
    if step.rung == EQUAL and one.policy != OWNER:
        return replace(step, missing=f"it is not owned: creationPolicy is {one.policy}, not {OWNER}")
    return step


def _files(held: SecretObject, key: str, mine: list[SopsSecret], deployer: str) -> ProvenanceStep:
    """Return the step from the file that has the value; two clusters may have one name for two Secrets."""
    one = next((one for one in mine if same_fingerprint(one.marks[key], held.marks[key])), mine[0])
    if len(mine) > 1 and not same_fingerprint(one.marks[key], held.marks[key]):
        names = " and ".join(one.where for one in mine)
        return ProvenanceStep(
            held.ref, held.space, key, NOTHING, "", f"its value is none of those of {names}"
        )
    source = f"SOPS {one.where}"
    return _step(held, key, source, source, _from_file(held, key, one, deployer))


def _declares(one: ExternalSecretSpec, key: str, sources: Sources) -> bool:
    ref = key in one.templates or key in one.odd or key in one.direct
    return ref or any(key in sources.entries.get(path, {}) for path in one.extracts)


def _awaited(one: ExternalSecretSpec, key: str, sources: Sources) -> str:
    """Return that the source is newer than the last look, and the next one is not late; empty if it is not."""
    written = max((sources.written.get(path, 0.0) for path in one.read(key)), default=0.0)
    age = sources.now - written
    due = key not in one.odd and one.seen < written and age <= one.interval + LATE
    return f"pending until the next look at the source, which was written {age:.0f} s ago" if due else ""


def _step(held: SecretObject, key: str, owner: str, source: str, checks: Iterable[str]) -> ProvenanceStep:
    """Return the rung below the first check that says why it fails; each check is one rung, from R2 on."""
    for rung, why in zip(ORDER[1:], checks, strict=False):
        if why:
            return ProvenanceStep(held.ref, held.space, key, rung, source, why, owner)
    return ProvenanceStep(held.ref, held.space, key, EQUAL, source, owner=owner)


def _from_vault(held: SecretObject, key: str, one: ExternalSecretSpec, sources: Sources) -> Iterable[str]:
    owned = one.policy != OWNER or ("ExternalSecret", one.name, one.uid) in held.owners
    yield one.fault or ("" if owned else f"ExternalSecret {one.name} does not own it")
    yield _other_writers(held, key, one.manager)
    if key in one.odd:
        yield one.odd[key]
    elif key in one.templates:
        yield _rendered(held, key, one.templates[key], sources)
    else:
        wanted = [one.direct[key]] if key in one.direct else [(path, key) for path in one.extracts]
        digests = [sources.entries.get(path, {}).get(name) for path, name in wanted]
        known = [bytes.fromhex(one) for one in digests if one]
        equal = bool(known) and same_fingerprint(known[-1], held.marks[key])
        yield "" if equal else "its value is not the source's" if known else "the source has no such value"


def _rendered(held: SecretObject, key: str, wanted: Mapping[str, tuple[str, str]], sources: Sources) -> str:
    pieces = held.pieces.get(key)
    if pieces is None:
        return "its value does not fit the template"
    for name, (path, part) in wanted.items():
        digest = sources.entries.get(path, {}).get(part)
        if digest is None or name not in pieces or not same_fingerprint(bytes.fromhex(digest), pieces[name]):
            return f"what stands for {name} is not the source's"
    return ""


def _from_file(held: SecretObject, key: str, filed: SopsSecret, deployer: str) -> Iterable[str]:
    writers = held.writers.get(key, frozenset())
    yield "" if deployer in writers else f"{deployer}, who deploys, did not write it"
    yield _other_writers(held, key, deployer)
    yield "" if same_fingerprint(filed.marks[key], held.marks[key]) else "its value is not the file's"


def _other_writers(held: SecretObject, key: str, only: str) -> str:
    others = held.writers.get(key, UNKNOWN) - {only}
    return f"written by {', '.join(sorted(others))} too" if others else ""
