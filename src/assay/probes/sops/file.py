"""One file of secrets as it lies in Git: what SOPS left in it, and whether that is really ciphertext.

Everything here is decided without a key.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.yaml_text import Document, YamlScalar
from assay.model import Offender
from assay.secretscan.text import looks_secret


ENC = re.compile(
    r"ENC\[AES256_GCM,data:(?P<data>[A-Za-z0-9+/=]+),iv:(?P<iv>[A-Za-z0-9+/=]+),"
    r"tag:(?P<tag>[A-Za-z0-9+/=]+),type:(?P<type>str|int|float|bool|bytes|comment|time)\]"
)
IV, TAG, READABLE = 32, 16, 16
AGE = re.compile(r"age1[02-9ac-hj-np-z]{58}")
OPTIONS = (
    "encrypted_regex",
    "encrypted_suffix",
    "unencrypted_regex",
    "unencrypted_suffix",
    "encrypted_comment_regex",
    "unencrypted_comment_regex",
    "mac_only_encrypted",
)
OTHER_KEYS = ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "key_groups")
VALUES = frozenset(("data", "stringData", "binaryData"))
GENERATOR, GENERATED = "secretGenerator", frozenset(("literals", "files", "envs", "env"))
LONGEST_PATTERN = 1000
NOTHING = ("", "null", "~")
NUMBER = re.compile(r"(\d+)\.(\d+)\.(\d+)")
COMMENT = re.compile(r"^\s*#\s*(?P<key>[A-Za-z_][\w.-]*)\s*[:=]\s*(?P<value>\S.*?)\s*$")
Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What SOPS writes at the end of a document.

    `recipients` are age public keys, `others` the kinds of master keys beside age, `options` what decides
    which values are encrypted.
    """

    recipients: tuple[str, ...]
    others: tuple[str, ...]
    blocks: int
    threshold: str
    mac: str
    version: str
    modified: str
    options: tuple[tuple[str, str], ...]


def metadata(document: Document) -> Metadata | None:
    """Return the SOPS metadata of a document, None where it has none."""
    found = document.under("sops")
    if not found:
        return None
    found = tuple(leaf for leaf in found if len(leaf.path) > 1)
    plain = {str(leaf.path[1]): leaf.text for leaf in found if len(leaf.path) == 2}
    age = [leaf for leaf in found if leaf.path[1] == "age"]
    return Metadata(
        recipients=tuple(leaf.text for leaf in age if leaf.path[-1] == "recipient"),
        others=tuple(sorted({str(leaf.path[1]) for leaf in found if len(leaf.path) > 2} & set(OTHER_KEYS))),
        blocks=sum(leaf.path[-1] == "enc" and "BEGIN AGE ENCRYPTED FILE" in leaf.text for leaf in age),
        threshold=plain.get("shamir_threshold", ""),
        mac=plain.get("mac", ""),
        version=plain.get("version", ""),
        modified=plain.get("lastmodified", ""),
        options=tuple((key, plain[key]) for key in OPTIONS if key in plain),
    )


def cipher_fault(text: str) -> str:
    """Return why a text is no ciphertext of SOPS; empty where its shape is right."""
    match = ENC.fullmatch(text)
    if match is None:
        return "is written as ciphertext but is none" if text.startswith("ENC[") else "is in clear"
    try:
        data, iv, tag = (base64.b64decode(match[part], validate=True) for part in ("data", "iv", "tag"))
    except binascii.Error:
        return "is written as ciphertext, but not in base64"
    if len(iv) != IV or len(tag) != TAG:
        return f"is written as ciphertext, but its iv has {len(iv)} bytes and its tag {len(tag)}"
    if len(set(iv)) <= 2 or len(set(tag)) <= 2:
        return "is written as ciphertext, but its iv or tag is made up"
    if len(data) >= READABLE and all(32 <= byte < 127 for byte in data):
        return "is written as ciphertext, but its data is readable text"
    return ""


@dataclass(frozen=True)
class SecretFile:
    """One file that is encrypted, or ought to be: `where` as `tree/path`, its documents, its comments.

    `must` is True for a file in a folder that is there for encrypted files only.
    """

    where: str
    path: Path
    root: Path
    documents: tuple[Document, ...]
    text: str = field(repr=False)
    must: bool = False

    @property
    def ref(self) -> str:
        """Return `File tree/path`."""
        return f"File {self.where}"

    @cached_property
    def about(self) -> tuple[Metadata | None, ...]:
        """Return the metadata of each document."""
        return tuple(metadata(document) for document in self.documents)

    @property
    def encrypted(self) -> bool:
        """Return True if SOPS left its mark on any document."""
        return any(self.about)

    @cached_property
    def protected(self) -> tuple[YamlScalar, ...]:
        """Return the values that must be ciphertext: those of Secrets, and what the file's options name."""
        pairs = zip(self.documents, self.about, strict=True)
        return tuple(leaf for document, about in pairs for leaf in _protected(document, about))

    @property
    def sensitive(self) -> bool:
        """Return True if the file has anything to hide: it is judged."""
        marked = any(leaf.text.startswith("ENC[") for document in self.documents for leaf in document.leaves)
        return (
            self.must or self.encrypted or marked or any(leaf.text not in NOTHING for leaf in self.protected)
        )

    @property
    def ciphertexts(self) -> int:
        """Return how many values are ciphertext by their shape."""
        return sum(not cipher_fault(leaf.text) for leaf in self.protected)

    def faults(self, oldest: str) -> list[Offender]:
        """Return what is wrong with the file, without a key.

        Args:
            oldest: the oldest version of sops whose files are taken, `3.8.0`.
        """
        if not self.encrypted:
            return self._in_clear()
        found = [self._at(leaf, why) for leaf in self._hidden() if (why := cipher_fault(leaf.text))]
        found += [self._at(leaf, why) for leaf, why in self._shown()]
        found += [Offender(self.ref, why) for why in self._metadata_faults(oldest)]
        return [*found, *self._repeated(), *self._comments()]

    def _in_clear(self) -> list[Offender]:
        found = []
        for leaf in self._hidden():
            lost = not cipher_fault(leaf.text)
            why = "is ciphertext, but the file has no sops metadata: nobody can open it"
            found.append(self._at(leaf, why if lost else "is in clear"))
        if not found and (self.must or not self.protected):
            found.append(Offender(self.ref, "is not encrypted: it has no sops metadata"))
        return found

    def _hidden(self) -> Iterator[YamlScalar]:
        return (leaf for leaf in self.protected if leaf.text not in NOTHING)

    def _shown(self) -> Iterator[tuple[YamlScalar, str]]:
        """Yield readable values of an encrypted file that are secrets all the same."""
        hidden = set(map(id, self.protected))
        for leaf in (leaf for document in self.documents for leaf in document.leaves):
            if id(leaf) in hidden or (leaf.path and leaf.path[0] == "sops"):
                continue
            why = looks_secret(str(leaf.path[-1]) if leaf.path else "", leaf.text)
            if why and not leaf.text.startswith("ENC["):
                yield leaf, f"is readable and looks like a secret: {why}"

    def _metadata_faults(self, oldest: str) -> Iterator[str]:
        if any(about is None for about in self.about):
            yield "has a document without sops metadata"
        known = [about for about in self.about if about is not None]
        if len(set(known)) > 1:
            yield "has documents whose sops metadata differ"
        yield from _faults(known[0], oldest)
        if not any(self._hidden()):
            yield "encrypts nothing"

    def _repeated(self) -> Iterator[Offender]:
        """Yield values that share an iv with another: copied, not encrypted."""
        seen: dict[str, str] = {}
        for leaf in self._hidden():
            match = ENC.fullmatch(leaf.text)
            if match and seen.setdefault(match["iv"], leaf.text) != leaf.text:
                yield self._at(leaf, "shares its iv with another value: it is made up")

    def _comments(self) -> Iterator[Offender]:
        for number, line in enumerate(self.text.splitlines(), 1):
            match = COMMENT.match(line)
            if match and looks_secret(match["key"], match["value"]):
                yield Offender(f"{self.ref}:{number}", "a comment in clear looks like a secret")

    def _at(self, leaf: YamlScalar, why: str) -> Offender:
        return Offender(f"{self.ref}:{leaf.line}", f"{'.'.join(map(str, leaf.path))} {why}")


def _faults(about: Metadata, oldest: str) -> Iterator[str]:
    if not about.mac:
        yield "has no message authentication code"
    elif why := cipher_fault(about.mac):
        yield f"has a message authentication code that {why}"
    if not about.recipients:
        yield "is encrypted to no age recipient"
    if bad := [one for one in about.recipients if not AGE.fullmatch(one)]:
        yield f"names {len(bad)} recipients that are no age public keys"
    if about.blocks != len(about.recipients):
        yield f"has {len(about.recipients)} recipients, but {about.blocks} wrapped keys"
    if ("mac_only_encrypted", "true") in about.options:
        yield "authenticates only its encrypted values (mac_only_encrypted)"
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


def _protected(document: Document, about: Metadata | None) -> Iterator[YamlScalar]:
    """Yield the values of Secrets, of what kustomize makes them from, and of other encrypted files."""
    owners = {leaf.path[:-1]: leaf.text for leaf in document.leaves if leaf.path and leaf.path[-1] == "kind"}
    holders = {path for path, kind in owners.items() if kind == "Secret" or (about and kind == "ConfigMap")}
    for leaf in document.leaves:
        if not leaf.path or leaf.path[0] == "sops":
            continue
        inside = any(leaf.path[: len(h)] == h and set(leaf.path[len(h) :][:1]) & VALUES for h in holders)
        inside = inside or (leaf.path[0] == GENERATOR and bool(set(leaf.path[2:3]) & GENERATED))
        if inside or (about and not holders and chosen(leaf.path, dict(about.options))):
            yield leaf


def chosen(path: Where, options: dict[str, str]) -> bool:
    """Return True if SOPS encrypts the value at `path` under `options`, as sops itself decides."""
    names = [str(part) for part in path if isinstance(part, str)]
    wanted = True
    if suffix := options.get("unencrypted_suffix"):
        wanted = not any(name.endswith(suffix) for name in names)
    if suffix := options.get("encrypted_suffix"):
        wanted = any(name.endswith(suffix) for name in names)
    if pattern := options.get("unencrypted_regex"):
        wanted = not any(search(pattern, name, "a SOPS option") for name in names)
    if pattern := options.get("encrypted_regex"):
        wanted = any(search(pattern, name, "a SOPS option") for name in names)
    return wanted


def search(pattern: str, text: str, ref: str) -> bool:
    """Return True if `pattern` is found in `text`.

    Raises:
        ProbeError: it is not a regular expression, or longer than any sane one.
    """
    try:
        if len(pattern) > LONGEST_PATTERN:
            raise ProbeError(f"{ref}: a pattern longer than {LONGEST_PATTERN} characters", "shorten it")
        return re.search(pattern, text) is not None
    except re.error as error:
        raise ProbeError(f"{ref}: is not a regular expression: {error.msg}", "fix the pattern") from error
