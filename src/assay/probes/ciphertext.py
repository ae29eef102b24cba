"""Whether the bytes of a backup are ciphertext, and whether the escrow kit's keys open them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import ProbeError
from assay.probes.opening import opens
from assay.probes.s3 import S3
from assay.probes.s3_facts import Version
from assay.provenance.naming import entropy


if TYPE_CHECKING:
    from assay.profile import Profile

# age-encryption.org/v1; EVP_BytesToKey with a salt, as openssl enc and pgBackRest write it.
HEADERS = (b"age-encryption.org/v1\n-> ", b"Salted__")
LEAST, SAMPLE, ENOUGH = 4096, 1 << 20, 7.8
SHORT = 12
# gzip, zstd, xz, lz4, bzip2, zip: random looks, for anybody to open.
OPEN = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"\x04\x22\x4d\x18", b"BZh", b"PK\x03\x04")
TEXT = frozenset(range(32, 127)) | frozenset(b"\t\r\n")
INFO = ".info"


def fault(head: bytes) -> str:
    """Return why an object that begins so is not encrypted, empty if it is.

    A header is followed by ciphertext: what stands behind it must look random too.
    """
    if not head:
        return "is empty"
    if not head.startswith(HEADERS):
        return "is not encrypted: it has no header of age or of a salted cipher"
    if head.startswith(HEADERS[0]):
        stanzas, ends, body = head.partition(b"\n---")
        if not ends or any(not 32 < byte < 127 and byte not in b" \n" for byte in stanzas):
            return "begins as age does, and its header does not end"
        body = body.partition(b"\n")[2]
    else:
        body = head[16:]
    if body.startswith(OPEN):
        return "has the header of a cipher, and an archive that anybody opens behind it"
    large = len(body) > LEAST // 2 and entropy(body) < ENOUGH - 0.2
    small = len(body) >= SHORT and all(byte in TEXT for byte in body)
    return "has the header of a cipher, and readable bytes behind it" if large or small else ""


def deep_fault(body: bytes, canaries: Iterable[bytes]) -> str:
    """Return why a whole object is no ciphertext: a canary lies in it, or it is not random throughout."""
    if any(canary in body for canary in canaries):
        return "holds a canary that can be read"
    for start in range(0, len(body), SAMPLE):
        part = body[start : start + SAMPLE]
        if len(part) >= LEAST and entropy(part) < ENOUGH:
            return "has the header of a cipher, and readable bytes behind it"
    return ""


def kept_secrets(escrow: Path) -> list[bytes]:
    """Return what the escrow kit's small files hold, line by line: none of it may lie beside the backups.

    Raises:
        ProbeError: the kit cannot be read.
    """
    try:
        files = [one for one in sorted(escrow.iterdir()) if one.is_file() and one.suffix != ".crt"]
        lines = [line.strip() for one in files for line in one.read_bytes()[:65536].splitlines()]
    except OSError as why:
        raise ProbeError(
            f"the escrow kit cannot be read: {why.strerror}", "check folder under [escrow]"
        ) from why
    boring = (b"#", b"-----", b"{", b"}")
    return [line for line in lines if len(line) >= SHORT and not line.startswith(boring)]


class Keys:
    """The keys of the escrow kit, tried on the newest object of each service."""

    def __init__(self, s3: S3, escrow: Path, tools: Mapping[str, Path]) -> None:
        """Fetch through `s3`; `tools` are the paths of `age` and `openssl`."""
        self._s3, self._escrow, self._tools = s3, escrow, tools

    @classmethod
    def from_profile(cls, profile: Profile) -> Keys:
        """Return the keys of the stack's kit.

        Raises:
            ProbeError: no kit, no object storage or no tool is declared.
        """
        tools = {name: profile.need_path(f"tools.{name}") for name in ("age", "openssl")}
        return cls(S3.from_profile(profile), profile.need_path("escrow.folder"), tools)

    def opens(self, service: str, version: Version) -> bool:
        """Return whether the service's key opens `version`; what comes out is not kept.

        Raises:
            ProbeError: it cannot be fetched, or a tool does not run.
        """
        with tempfile.TemporaryDirectory(prefix="assay-key-") as name:
            sealed = str(self._s3.fetch(version, Path(name) / "sealed"))
            if self._s3.head(version, 8) == HEADERS[1]:
                key = self._escrow / "pgbackrest-passphrase"
                words = [*["enc", "-d", "-aes-256-cbc", "-md", "sha1", "-pass"], f"file:{key}", "-in", sealed]
                return opens(self._tools["openssl"], words)
            identity = self._escrow / f"{service}-backup.agekey"
            return opens(self._tools["age"], ["--decrypt", "--identity", identity, sealed])
