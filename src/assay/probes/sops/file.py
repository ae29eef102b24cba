"""One file of secrets as it lies in Git: what SOPS left in it, and whether that is really ciphertext.

Everything here is decided without a key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.yaml_text import Document, YamlScalar


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
VALUES = frozenset(("data", "stringData", "binaryData"))
GENERATOR, GENERATED = "secretGenerator", frozenset(("literals", "files", "envs", "env"))
LONGEST_PATTERN = 1000
# What Python's expressions know and those of Go, which sops is written in, do not.
NOT_RE2 = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:[=!]|<[=!]|>|\(|P=)|\\[1-9])")
NOTHING = ("", "null", "~")
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
    # A key stands in its kind's own list or in a key group; of whatever kind it is, it opens the file.
    keys = [(_kind(leaf.path), leaf) for leaf in found if len(leaf.path) > 2]
    age = [leaf for kind, leaf in keys if kind == "age"]
    return Metadata(
        recipients=tuple(leaf.text for leaf in age if leaf.path[-1] == "recipient"),
        others=tuple(sorted({kind for kind, _ in keys} - {"age"})),
        blocks=sum(leaf.path[-1] == "enc" and "BEGIN AGE ENCRYPTED FILE" in leaf.text for leaf in age),
        threshold=plain.get("shamir_threshold", ""),
        mac=plain.get("mac", ""),
        version=plain.get("version", ""),
        modified=plain.get("lastmodified", ""),
        options=tuple((key, plain[key]) for key in OPTIONS if key in plain),
    )


def _kind(path: Where) -> str:
    """Return the kind of the master key that a value of the metadata belongs to: `age`, `kms`, `hckms`."""
    inner = path[3:] if path[1] == "key_groups" else path[1:]
    return str(inner[0]) if inner else "key_groups"


def cipher_fault(text: str) -> str:
    """Return why a text is not ciphertext of SOPS; empty where its shape is right."""
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
        if NOT_RE2.search(pattern):
            raise ProbeError(
                f"{ref}: sops cannot read the pattern: Go has no lookaround and no backreference",
                "rewrite it",
            )
        return re.search(pattern, text) is not None
    except re.error as error:
        raise ProbeError(f"{ref}: is not a regular expression: {error.msg}", "fix the pattern") from error
