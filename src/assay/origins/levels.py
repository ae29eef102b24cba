"""How far the origin of each key of each Secret is proven. Pure judgement over fingerprints.

| level | what is shown | what is missing below it |
|---|---|---|
| `-` | nothing says where the value comes from | an ExternalSecret, a SOPS file, or a controller that makes it |
| R0 classified | a controller made it for itself, as the policy or the profile says | nothing: it is neither Vault's nor SOPS' |
| R1 declared | an ExternalSecret or a SOPS file has the key | that this one owns the Secret, and works |
| R2 linked | it owns the Secret, is ready and up to date | that nobody else ever wrote the key |
| R3 exclusive | it alone wrote the key | that the value is the source's |
| R4 equal | the value is the source's, now | nothing; that it follows a rotation is SEC-26's |

R0 and R4 are proven; so is R3 while the source is newer than the last look at it ("R3, pending"), and where the
operator computes the value from the source alone, so that nobody can compare it ("R3, computed").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from assay.origins.sources import (
    OWNER,
    ExternalSecretSpec,
    SecretObject,
    SopsSecret,
    Sources,
    is_controllers,
)
from assay.secretscan.fingerprint import same_fingerprint


NOTHING, CLASSIFIED, DECLARED, LINKED, EXCLUSIVE, EQUAL = "-", "R0", "R1", "R2", "R3", "R4"
ORDER = (NOTHING, DECLARED, LINKED, EXCLUSIVE, EQUAL)
PENDING, COMPUTED = "R3, pending", "R3, computed"
LATE_S = 120.0  # what a refresh of an ExternalSecret may be late
NOBODY = "nobody"
UNKNOWN_WRITER = frozenset({"nobody known"})
FOLLOWS = "R5: a rotation that is followed (SEC-26)"


@dataclass(frozen=True, slots=True)
class KeyProvenance:
    """How far the origin of one key is proven.

    Attributes:
        secret: `Secret namespace/name`, or `Machine name`.
        space: the namespace, empty for a machine.
        key: the key of the Secret, or the place in the machine's configuration.
        level: see above.
        source: where the value comes from, in words.
        missing: what would raise the level; empty where nothing is missing.
        owner: what answers for the value: an ExternalSecret, a SOPS file, a controller, a machine, or nobody.
    """

    secret: str
    space: str
    key: str
    level: str
    source: str
    missing: str = ""
    owner: str = NOBODY

    @property
    def ref(self) -> str:
        """Return `Secret namespace/name`, or `Machine name`."""
        return self.secret

    @property
    def why(self) -> str:
        """Return the key, what is missing, and its level: why it is an offender."""
        return f"{self.key}: {self.missing} (provenance level {self.level})"

    @property
    def next_level(self) -> str:
        """Return what would raise it: the next proof, or what is missing; the reason where it is classified."""
        known = {EQUAL: self.missing or FOLLOWS, CLASSIFIED: self.source}
        return known.get(self.level, self.missing)

    @property
    def proven(self) -> bool:
        """Return whether it is equal to its source, or about to be, or classified as a controller's own."""
        return self.level in (CLASSIFIED, PENDING, COMPUTED, EQUAL)


def classify_secrets(secrets: Iterable[SecretObject], sources: Sources) -> list[KeyProvenance]:
    """Return how far each key of each Secret is proven, in the order of the Secrets."""
    external: dict[tuple[str, str], list[ExternalSecretSpec]] = {}
    for one in sources.external:
        external.setdefault((one.space, one.target), []).append(one)
    files: dict[tuple[str, str], list[SopsSecret]] = {}
    for two in sources.sops:
        files.setdefault((two.space, two.name), []).append(two)
    return [
        _classified(secret, key, external.get((secret.space, secret.name), []), _files_of(secret, files), sources)
        for secret in secrets
        for key in secret.fingerprints
    ]  # fmt: skip


def _files_of(secret: SecretObject, files: Mapping[tuple[str, str], list[SopsSecret]]) -> list[SopsSecret]:
    """Return the files of a Secret; one without a namespace is given it when it is deployed."""
    return files.get((secret.space, secret.name)) or files.get(("", secret.name), [])


def _classified(
    secret: SecretObject,
    key: str,
    external: list[ExternalSecretSpec],
    files: list[SopsSecret],
    sources: Sources,
) -> KeyProvenance:
    if owner := next((one for one in external if _declares(one, key, sources)), None):
        return _from_external(secret, key, owner, sources)
    if mine := [one for one in files if key in one.fingerprints]:
        return _from_files(secret, key, mine, sources.deployers)
    if own := _controllers_own(secret, key, sources):
        return own
    if owner := next((one for one in external if one.unlisted), None):
        return _from_unlisted(secret, key, owner)
    why = "neither an ExternalSecret nor a SOPS file"
    if external or files:
        why = f"{external[0].title if external else f'SOPS {files[0].where}'} does not know this key"
    return KeyProvenance(secret.ref, secret.space, key, NOTHING, "", why)


def _from_unlisted(secret: SecretObject, key: str, one: ExternalSecretSpec) -> KeyProvenance:
    """Return the provenance of a key that its owner does not name: proven where only the source decides it."""
    source = f"{one.provider} by {one.title}"
    checks = (
        _not_kept(secret, one) or ("" if one.found else one.unlisted),
        _other_writers(secret, key, (one.manager,)),
    )
    step = _highest(secret, key, one.title, source, (*checks, one.found))
    return replace(step, level=COMPUTED) if step.level == EXCLUSIVE else step


def _controllers_own(secret: SecretObject, key: str, sources: Sources) -> KeyProvenance | None:
    """Return the classification of a key that a controller wrote for itself, None where none did."""
    if rule := next((one for one in sources.controllers if is_controllers(one, secret, key)), None):
        owner = f"controller {rule.writer}"
        return KeyProvenance(secret.ref, secret.space, key, CLASSIFIED, rule.reason, owner=owner)
    asked = [one for one in sources.made if one.is_for(secret)]
    writers = secret.writers.get(key, UNKNOWN_WRITER)
    if made := next((one for one in asked if not one.fault(secret, writers)), None):
        return KeyProvenance(secret.ref, secret.space, key, CLASSIFIED, made.reason, owner=made.owner)
    if made := next(iter(asked), None):
        why = made.fault(secret, writers)
        return KeyProvenance(secret.ref, secret.space, key, DECLARED, made.owner, why, made.owner)
    return None


def _declares(one: ExternalSecretSpec, key: str, sources: Sources) -> bool:
    named = any(
        key in keys for keys in (one.templates, one.incomparable, one.computed, one.direct, one.whole)
    )
    return named or any(key in sources.entries.get(path, {}) for path in one.extracts)


def _from_external(
    secret: SecretObject, key: str, one: ExternalSecretSpec, sources: Sources
) -> KeyProvenance:
    source = f"{one.provider} {', '.join(sorted(one.paths_of(key)))} by {one.title}"
    step = _highest(secret, key, one.title, source, _external_checks(secret, key, one, sources))
    if step.level == EXCLUSIVE and (awaited := _awaited(one, key, sources)):
        return replace(step, level=PENDING, missing=awaited)
    if step.level == EXCLUSIVE and key in one.computed:
        return replace(step, level=COMPUTED)
    if step.level == EQUAL and one.policy != OWNER:
        return replace(step, missing=f"it is not owned: creationPolicy is {one.policy}, not {OWNER}")
    return step


def _from_files(
    secret: SecretObject, key: str, mine: list[SopsSecret], deployers: Sequence[str]
) -> KeyProvenance:
    """Return the provenance by the file that has the value; two clusters may have one name for two Secrets."""
    own = secret.fingerprints[key]
    one = next((one for one in mine if same_fingerprint(one.fingerprints[key], own)), mine[0])
    if len(mine) > 1 and not same_fingerprint(one.fingerprints[key], own):
        why = f"its value is none of those of {' and '.join(one.where for one in mine)}"
        return KeyProvenance(secret.ref, secret.space, key, NOTHING, "", why)
    source = f"SOPS {one.where}"
    return _highest(secret, key, source, source, _file_checks(secret, key, one, deployers))


def _highest(secret: SecretObject, key: str, owner: str, source: str, checks: Iterable[str]) -> KeyProvenance:
    """Return the level below the first check that fails; each check is one level, from R2 on."""
    for level, why in zip(ORDER[1:], checks, strict=False):
        if why:
            return KeyProvenance(secret.ref, secret.space, key, level, source, why, owner)
    return KeyProvenance(secret.ref, secret.space, key, EQUAL, source, owner=owner)


def _external_checks(
    secret: SecretObject, key: str, one: ExternalSecretSpec, sources: Sources
) -> Iterable[str]:
    yield _not_kept(secret, one)
    yield _other_writers(secret, key, (one.manager,))
    if key in one.computed:
        yield one.computed[key]
    elif key in one.incomparable:
        yield one.incomparable[key]
    elif key in one.templates:
        yield _rendered(secret, key, one.templates[key], sources)
    elif key in one.whole:
        known = {name: (path, name) for path in one.extracts for name in sources.entries.get(path, {})}
        yield _rendered(secret, key, known, sources) if known else "the source has no such entry"
    else:
        wanted = [one.direct[key]] if key in one.direct else [(path, key) for path in one.extracts]
        digests = [sources.entries.get(path, {}).get(name) for path, name in wanted]
        given = [bytes.fromhex(one) for one in digests if one]
        equal = bool(given) and same_fingerprint(given[-1], secret.fingerprints[key])
        yield "" if equal else "its value is not the source's" if given else "the source has no such value"


def _not_kept(secret: SecretObject, one: ExternalSecretSpec) -> str:
    """Return why a Secret is not kept by an object as the source has it, empty if it is."""
    owned = one.policy != OWNER or (one.kind, one.name, one.uid) in secret.owners
    return one.fault or ("" if owned else f"{one.title} does not own it")


def _rendered(secret: SecretObject, key: str, wanted: Mapping[str, tuple[str, str]], sources: Sources) -> str:
    parts = secret.parts.get(key)
    if parts is None:
        return "its value does not fit the template"
    for name, (path, part) in wanted.items():
        digest = sources.entries.get(path, {}).get(part)
        if digest is None or name not in parts or not same_fingerprint(bytes.fromhex(digest), parts[name]):
            return f"what stands for {name} is not the source's"
    return ""


def _awaited(one: ExternalSecretSpec, key: str, sources: Sources) -> str:
    """Return that the source is newer than the last look, and the next one is not late; empty if it is not."""
    written = max((sources.written.get(path, 0.0) for path in one.paths_of(key)), default=0.0)
    age = sources.now - written
    due = key not in one.incomparable and one.refreshed < written and age <= one.interval + LATE_S
    return f"pending until the next look at the source, which was written {age:.0f} s ago" if due else ""


def _file_checks(secret: SecretObject, key: str, file: SopsSecret, deployers: Sequence[str]) -> Iterable[str]:
    applied = secret.writers.get(key, frozenset()) & frozenset(deployers)
    yield "" if applied else f"no deployer wrote it ({', '.join(deployers) or 'the profile declares none'})"
    yield _other_writers(secret, key, deployers)
    equal = same_fingerprint(file.fingerprints[key], secret.fingerprints[key])
    yield "" if equal else "its value is not the file's"


def _other_writers(secret: SecretObject, key: str, only: Sequence[str]) -> str:
    others = secret.writers.get(key, UNKNOWN_WRITER) - frozenset(only)
    return f"written by {', '.join(sorted(others))} too" if others else ""
