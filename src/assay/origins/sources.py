"""What the values of Secrets are traced to: ExternalSecrets and the like, SOPS files, controllers. Data only.

A value is never seen here, only its fingerprint (see `secretscan.fingerprint`).
"""

from __future__ import annotations

import fnmatch
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.config.platform import ControllerSecret


OWNER = "Owner"
OPERATOR = "externalsecrets.external-secrets.io"
MAX_MANAGER_LENGTH = 63  # a longer name of a field manager is written as a digest


@dataclass(frozen=True, slots=True)
class SecretObject:
    """A Secret as it is in the cluster.

    Attributes:
        space: its namespace.
        name: its name.
        type: its type, `Opaque`.
        owners: kind, name and UID of each owner.
        writers: key -> the field managers that wrote it.
        fingerprints: key -> fingerprint of its value.
        parts: key -> (placeholder -> fingerprint of what stands in its place), for keys that a template renders;
            a value that does not fit its template has no entry.
        distinctive: fingerprints of the values that no text contains by chance, without white space around.
        annotations: as they are: texts beside the values, in which a copy of one may lie.
    """

    space: str
    name: str
    type: str
    owners: tuple[tuple[str, str, str], ...]
    writers: Mapping[str, frozenset[str]]
    fingerprints: Mapping[str, bytes] = field(repr=False)
    parts: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    distinctive: frozenset[bytes] = field(default=frozenset(), repr=False)
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
        direct: key -> (path, property) of the source; a path begins with its mount.
        extracts: paths whose every property becomes a key.
        templates: key -> (placeholder -> (path, property)), of keys that a template renders.
        incomparable: keys that cannot be compared, or whose template holds a secret of its own -> why.
        interval: seconds between two looks at the source; 0: it never looks again.
        texts: key -> template, as written.
        unlisted: why keys that are not named here may be its own all the same; empty where they cannot.
        policy: `Owner`; or `Orphan` or `Merge`: it writes its keys into a Secret that it does not own.
        refreshed: when it last looked at the source, in seconds since 1970; 0: never.
        kind: what it is: `ExternalSecret`, or `VaultStaticSecret`.
        writer: the field manager that writes for it; empty: the External Secrets Operator's.
        whole: keys that hold the whole entry once more, as JSON.
        computed: keys that cannot be compared, although only the source and the operator decide them -> how.
        found: how keys that are not named here come from the source alone; empty where they may not.
        immutable: whether the Secret that it makes can never change.
        restarts: `Kind namespace/name` of the workloads that the operator restarts when the Secret changes.
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
    incomparable: Mapping[str, str] = field(default_factory=dict)
    interval: float = 0.0
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    unlisted: str = ""
    policy: str = OWNER
    refreshed: float = 0.0
    kind: str = "ExternalSecret"
    writer: str = ""
    whole: frozenset[str] = frozenset()
    computed: Mapping[str, str] = field(default_factory=dict)
    found: str = ""
    immutable: bool = False
    restarts: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """Return `ExternalSecret namespace/name`."""
        return f"{self.kind} {self.space}/{self.name}"

    @property
    def title(self) -> str:
        """Return `ExternalSecret name`, as it is called beside a Secret of its namespace."""
        return f"{self.kind} {self.name}"

    @property
    def makes(self) -> str:
        """Return `Secret namespace/name`."""
        return f"Secret {self.space}/{self.target}"

    @property
    def manager(self) -> str:
        """Return the name of the field manager that writes for it."""
        known = self.writer or f"{OPERATOR}/{self.name}"
        if len(known) <= MAX_MANAGER_LENGTH:
            return known
        return f"{OPERATOR}/sha3/{hashlib.sha3_224(self.name.encode()).hexdigest()}"

    @property
    def paths(self) -> frozenset[str]:
        """Return every path it reads."""
        rendered = [path for one in self.templates.values() for path, _ in one.values()]
        return frozenset([*self.extracts, *rendered, *(path for path, _ in self.direct.values())])

    def paths_of(self, key: str) -> frozenset[str]:
        """Return the paths that one key comes from."""
        if key in self.templates:
            return frozenset(path for path, _ in self.templates[key].values())
        return frozenset([self.direct[key][0]] if key in self.direct else self.extracts)


@dataclass(frozen=True, slots=True)
class SopsSecret:
    """A Secret as an encrypted file has it: the file, and key -> fingerprint of the value."""

    where: str
    space: str
    name: str
    fingerprints: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class MadeSecret:
    """A Secret that an object of a controller asks for: which object, and who writes the Secret for it.

    `space` is a namespace or `*`, `name` a glob, `owner` is `Certificate namespace/name`, `writers` are globs over
    field managers; `uid` is that of the object where it owns what is made for it, `types` are globs over the
    Secret's type: empty where either may be anything.
    """

    space: str
    name: str
    owner: str
    writers: tuple[str, ...]
    reason: str
    uid: str = ""
    types: tuple[str, ...] = ()

    def is_for(self, secret: SecretObject) -> bool:
        """Return whether a Secret is the one that is asked for."""
        return self.space in ("*", secret.space) and fnmatch.fnmatchcase(secret.name, self.name)

    def fault(self, secret: SecretObject, writers: frozenset[str]) -> str:
        """Return why a key with these writers is not what the controller made, empty if it is."""
        if not all(any(fnmatch.fnmatchcase(one, glob) for glob in self.writers) for one in writers):
            return f"{self.owner} asks for it, but {', '.join(sorted(writers))} wrote it"
        if self.uid and self.uid not in {uid for _, _, uid in secret.owners}:
            return f"{self.owner} asks for it, but does not own it"
        kept = not self.types or any(fnmatch.fnmatchcase(secret.type, glob) for glob in self.types)
        return "" if kept else f"{self.owner} asks for it, but its type is {secret.type}"


def is_controllers(rule: ControllerSecret, secret: SecretObject, key: str) -> bool:
    """Return whether name, type, key and the key's only writer are as a rule says."""
    known = fnmatch.fnmatchcase(f"{secret.space}/{secret.name}", rule.match)
    writer, *others = sorted(secret.writers.get(key, {""}))
    written = not others and fnmatch.fnmatchcase(writer, rule.writer)
    kept = fnmatch.fnmatchcase(secret.type, rule.type) and fnmatch.fnmatchcase(key, rule.key)
    return known and kept and written


@dataclass(frozen=True, slots=True)
class Sources:
    """All that keys may come from, and when this was looked at, in seconds since 1970.

    Attributes:
        external: what ExternalSecrets and the Vault Secrets Operator's objects say.
        sops: the Secrets of encrypted files.
        entries: path in Vault -> (property -> fingerprint in hexadecimal).
        controllers: Secrets that controllers make for themselves.
        deployers: field managers that apply what lies in Git.
        written: path in Vault -> when its value was written.
        made: Secrets that objects of controllers ask for.
        now: when.
    """

    external: Sequence[ExternalSecretSpec]
    sops: Sequence[SopsSecret]
    entries: Mapping[str, Mapping[str, str]]
    controllers: Sequence[ControllerSecret]
    deployers: Sequence[str]
    written: Mapping[str, float] = field(default_factory=dict)
    made: Sequence[MadeSecret] = ()
    now: float = field(default_factory=time.time)
