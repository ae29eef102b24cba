"""Whether encrypted files are rightly encrypted, decided without a key (SEC-21)."""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterator
from pathlib import Path

from assay.formats.yaml_text import YamlScalar
from assay.model import Offender
from assay.probes.sops.file import AGE, ENC, GENERATOR, NOTHING, Metadata, SecretFile, cipher_fault
from assay.secretscan.naming import refers_elsewhere
from assay.secretscan.text import looks_secret


NUMBER = re.compile(r"(\d+)\.(\d+)\.(\d+)")
COMMENT = re.compile(r"^\s*#\s*(?P<key>[A-Za-z_][\w.-]*)\s*[:=]\s*(?P<value>\S.*?)\s*$")
FROM_FILES = frozenset({"files", "envs", "env"})


def encryption_faults(file: SecretFile, oldest: str) -> list[Offender]:
    """Return what is wrong with a file that is encrypted, or ought to be.

    Args:
        file: the file.
        oldest: the oldest version of sops whose files are taken, `3.8.0`.
    """
    if not file.encrypted:
        return _in_clear(file)
    found = [_at(file, leaf, why) for leaf in _hidden(file) if (why := _clear(file, leaf))]
    found += [_at(file, leaf, why) for leaf, why in _shown(file)]
    found += [Offender(file.ref, why) for why in _metadata_faults(file, oldest)]
    return [*found, *_repeated(file), *_comments(file)]


def _in_clear(file: SecretFile) -> list[Offender]:
    found = []
    for leaf in _hidden(file):
        if not cipher_fault(leaf.text):
            lost = "is ciphertext, but the file has no sops metadata: nobody can open it"
            found.append(_at(file, leaf, lost))
        elif why := _clear(file, leaf):
            found.append(_at(file, leaf, why))
    if not found and (file.must or not file.protected):
        found.append(Offender(file.ref, "is not encrypted: it has no sops metadata"))
    return found


def _hidden(file: SecretFile) -> Iterator[YamlScalar]:
    return (leaf for leaf in file.protected if leaf.text not in NOTHING)


def _clear(file: SecretFile, leaf: YamlScalar) -> str:
    """Return why a value that must be ciphertext is none; empty where it is, or only says where the value is.

    A generator's file is looked at itself; what a deployer fills in is a reference.
    """
    if leaf.path[0] == GENERATOR and len(leaf.path) > 2 and leaf.path[2] in FROM_FILES:
        source = file.path.parent / leaf.text.rpartition("=")[2]
        return "" if _is_encrypted(source) else f"takes {source.name}, which is not encrypted"
    why = cipher_fault(leaf.text)
    return "" if why and refers_elsewhere(_decoded(leaf)) else why


def _is_encrypted(source: Path) -> bool:
    try:
        content = source.read_bytes()
    except OSError:
        return False
    return b"ENC[AES256_GCM," in content and b"sops" in content


def _decoded(leaf: YamlScalar) -> str:
    """Return a value as it is in clear: what stands under `data` is in base64."""
    if "data" not in leaf.path:
        return leaf.text
    try:
        return base64.b64decode(leaf.text, validate=True).decode()
    except ValueError:
        return leaf.text


def _shown(file: SecretFile) -> Iterator[tuple[YamlScalar, str]]:
    """Yield readable values of an encrypted file that are secrets all the same."""
    hidden = set(map(id, file.protected))
    for leaf in (leaf for document in file.documents for leaf in document.leaves):
        if id(leaf) in hidden or (leaf.path and leaf.path[0] == "sops"):
            continue
        why = looks_secret(str(leaf.path[-1]) if leaf.path else "", leaf.text)
        if why and not leaf.text.startswith("ENC["):
            yield leaf, f"is readable and looks like a secret: {why}"


def _metadata_faults(file: SecretFile, oldest: str) -> Iterator[str]:
    if any(about is None for about in file.about):
        yield "has a document without sops metadata"
    known = [about for about in file.about if about is not None]
    if len(set(known)) > 1:
        yield "has documents whose sops metadata differ"
    yield from _faults(known[0], oldest)
    if not any(_hidden(file)):
        yield "encrypts nothing"


def _repeated(file: SecretFile) -> Iterator[Offender]:
    """Yield values that share an iv with another: copied, not encrypted."""
    seen: dict[str, str] = {}
    for leaf in _hidden(file):
        match = ENC.fullmatch(leaf.text)
        if match and seen.setdefault(match["iv"], leaf.text) != leaf.text:
            yield _at(file, leaf, "shares its iv with another value: it is made up")


def _comments(file: SecretFile) -> Iterator[Offender]:
    for number, line in enumerate(file.text.splitlines(), 1):
        match = COMMENT.match(line)
        if match and looks_secret(match["key"], match["value"]):
            yield Offender(f"{file.ref}:{number}", "a comment in clear looks like a secret")


def _at(file: SecretFile, leaf: YamlScalar, why: str) -> Offender:
    return Offender(f"{file.ref}:{leaf.line}", f"{'.'.join(map(str, leaf.path))} {why}")


def _faults(about: Metadata, oldest: str) -> Iterator[str]:
    if not about.mac:
        yield "has no message authentication code"
    elif why := cipher_fault(about.mac):
        yield f"has a message authentication code that {why}"
    if not about.recipients:
        yield "is encrypted to no age recipient"
    if bad := [one for one in about.recipients if not AGE.fullmatch(one)]:
        yield f"names {len(bad)} recipients that are not age public keys"
    if about.blocks != len(about.recipients):
        yield f"has {len(about.recipients)} recipients, but {about.blocks} wrapped keys"
    if _number(about.version) < _number(oldest):
        yield f"was written by sops {about.version or 'of no version'}, older than {oldest}"
    if not _time(about.modified):
        yield "has no readable lastmodified"


def _number(version: str) -> tuple[int, ...]:
    match = NUMBER.fullmatch(version)
    return tuple(map(int, match.groups())) if match else (0,)


def _time(text: str) -> bool:
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False
