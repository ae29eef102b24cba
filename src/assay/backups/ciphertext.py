"""Whether the bytes of a backup are ciphertext, and whether the escrow kit's keys open them."""

from __future__ import annotations

import re
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from assay.backups.places import key_of
from assay.backups.repositories import Repository
from assay.config.platform import Service
from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.formats import openpgp
from assay.formats.packed import dearmoured, unpacked
from assay.formats.tools import tool_opens
from assay.model import Offender
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion
from assay.secretscan.naming import entropy


# age-encryption.org/v1; EVP_BytesToKey with a salt, as openssl enc and pgBackRest write it.
HEADERS = (b"age-encryption.org/v1\n-> ", b"Salted__")
# rclone's crypt: https://rclone.org/crypt/#file-encryption; a nonce of 24 bytes follows.
RCLONE = b"RCLONE\0\0"
ENDS = b"\n---"
LEAST, SAMPLE, ENOUGH = 4096, 1 << 20, 7.8
SHORT = 12
# The longest object in clear that is read whole: Longhorn lists every block of a volume in one.
WHOLE = 1 << 26
LUKS, SECTOR = b"LUKS\xba\xbe", 512
# An age header for many recipients, or for keys of RSA and ML-KEM, is longer than a head.
LONG = 1 << 16
# gzip, zstd, xz, lzma, lz4, bzip2, zip: they look random and anybody opens them; gzip if it can be inflated.
GZIP = b"\x1f\x8b\x08"
OPEN = re.compile(
    rb"\x28\xb5\x2f\xfd|\xfd7zXZ\x00|\x5d\x00\x00[\x00-\x80]|\x04\x22\x4d\x18|BZh[1-9]1AY&SY|PK\x03\x04"
)
# The chi-squared sum of random bytes over their 256 values is 255, however many; more than this it is
# once in 100,000 bodies of 16 to 64 bytes, the worst case.
UNEVEN = 500.0
TEXT = frozenset(range(32, 127)) | frozenset(b"\t\r\n")
UNKNOWN = "it has no header of a cipher known here: age, OpenPGP, a salted cipher, rclone's crypt"
BEHIND_ARCHIVE = "has the header of a cipher, and an archive that anybody opens behind it"
BEHIND_READABLE = "has the header of a cipher, and readable bytes behind it"


def fault(head: bytes) -> str:
    """Return why an object that begins so is not encrypted, empty if it is.

    A header is followed by ciphertext: what stands behind it must look random too.
    """
    if not head:
        return "is empty"
    head = b"".join(dearmoured([head]))
    body = openpgp.behind(head)
    if body is None and head.startswith(HEADERS[0]):
        stanzas, ends, body = head.partition(ENDS)
        if not ends or any(not 32 < byte < 127 and byte not in b" \n" for byte in stanzas):
            return "begins as age does, and its header does not end"
        body = body.partition(b"\n")[2]
    elif body is None and head.startswith(HEADERS[1]):
        # pgBackRest bundles many parts into one object, each with a header of its own.
        body = head[16:].replace(HEADERS[1], b"")
    elif body is None and head.startswith(RCLONE):
        body = head[len(RCLONE) :]
    if body is None:
        plain = _opens_to_anybody(head) or _readable(head) or len(head) < SHORT
        return f"is not encrypted: {UNKNOWN}" if plain else f"looks random, and {UNKNOWN}"
    if _opens_to_anybody(body):
        return BEHIND_ARCHIVE
    return BEHIND_READABLE if _readable(body) else ""


def _fault_in(repository: Repository, version: ObjectVersion, head: bytes) -> str:
    """Return why an object of a known encrypted repository is not encrypted: its blobs have no header."""
    if repository.in_clear(version.key):
        return repository.fault(head)
    tool = repository.layout.tool
    if openpgp.behind(head) is not None:
        return fault(head)
    if repository.unsure(version.key):
        return f"lies in a repository of {tool}, and may as well be a brotli archive: encrypt with OpenPGP"
    if not head:
        return "is empty"
    if repository.packed(version.key):
        return _fault_of_block(unpacked(head))
    wrong = _opens_to_anybody(head) or _readable(head)
    return f"lies in an encrypted repository of {tool}, and is not encrypted" if wrong else ""


def _fault_of_block(block: bytes) -> str:
    """Return why a block of a volume is not ciphertext: unwritten sectors and LUKS' header are left out."""
    known = block.startswith(LUKS) or not _readable(_written(block))
    return "" if known else "is a block of a volume that is not encrypted"


def _written(block: bytes) -> bytes:
    """Return the sectors of a block that hold anything: those never written to are zeros."""
    sectors = [block[at : at + SECTOR] for at in range(0, len(block), SECTOR)]
    return b"".join(one for one in sectors if one.strip(b"\0"))


def _needs_more(repository: Repository, key: str, head: bytes) -> bool:
    """Return whether the head says too little: of what is in clear, or of a block that begins with a hole."""
    if repository.packed(key):
        return len(_written(unpacked(head))) < SECTOR
    return repository.in_clear(key)


def _opens_to_anybody(body: bytes) -> bool:
    return bool(OPEN.match(body)) or (body.startswith(GZIP) and _inflates(body))


def _inflates(body: bytes) -> bool:
    try:
        return bool(zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, SAMPLE))
    except zlib.error:
        return False


def _readable(body: bytes) -> bool:
    """Return whether bytes are text but for one in sixteen, or are not spread as random ones are."""
    if len(body) < SHORT:
        return False
    other = sum(byte not in TEXT for byte in body)
    uneven = 256 * sum(n * n for n in Counter(body).values()) / len(body) - len(body)
    return other <= len(body) // 16 or uneven > UNEVEN


def plain_objects(
    s3: S3, versions: Sequence[ObjectVersion], repositories: Sequence[Repository]
) -> Iterator[Offender]:
    """Yield each version that does not begin as ciphertext does, by its header or its repository.

    Raises:
        ProbeError: one cannot be read.
    """
    for one, head in heads(s3, versions):
        inside = next((known for known in repositories if known.holds(one.key)), None)
        if inside and one.size > len(head) and _needs_more(inside, one.key, head):
            head = s3.head(one, WHOLE)
        if why := _fault_in(inside, one, head) if inside else fault(head):
            yield Offender(one.ref, why)


def readable_inside(
    s3: S3,
    versions: Iterable[ObjectVersion],
    forbidden: Sequence[bytes],
    budget: float,
    repositories: Sequence[Repository] = (),
) -> Iterator[tuple[ObjectVersion, str]]:
    """Yield the versions read whole, as many as `budget` bytes allow, each with what is wrong with it.

    One that was removed since it was listed is left out.
    What a tool stores in clear in its `repositories` by design is judged by its fields alone.

    Raises:
        ProbeError: one cannot be read.
    """
    left = budget
    for one in versions:
        clear = any(known.holds(one.key) and known.in_clear(one.key) for known in repositories)
        if one.size <= left and not clear:
            left -= one.size
            why = s3.unless_gone(one, partial(_deep_fault_of, s3, one, forbidden))
            if why is not None:
                yield one, why


def _deep_fault_of(s3: S3, version: ObjectVersion, forbidden: Sequence[bytes]) -> str:
    return deep_fault(s3.chunks(version), forbidden)


def heads(s3: S3, versions: Sequence[ObjectVersion]) -> list[tuple[ObjectVersion, bytes]]:
    """Return each version with how it begins; more where the header of age leaves too little to judge.

    One that was removed since it was listed is left out.

    Raises:
        ProbeError: one cannot be read.
    """
    return [
        (one, s3.head(one, LONG) if one.size > len(head) and _cut(head) else head)
        for one, head in s3.heads(versions)
    ]


def _cut(head: bytes) -> bool:
    return head.startswith(HEADERS[0]) and len(head.partition(ENDS)[2]) < LEAST // 2


def deep_fault(pieces: Iterable[bytes], forbidden: Sequence[bytes]) -> str:
    """Return why a whole object is not ciphertext: forbidden words lie in it, or it is not random throughout.

    One piece is held at a time.
    """
    overlap, tail = max((len(word) for word in forbidden), default=1) - 1, b""
    for part in _resized(dearmoured(pieces)):
        if any(word in tail + part for word in forbidden):
            return "holds a canary that can be read"
        judged = part.replace(HEADERS[1], b"")
        if len(judged) >= LEAST and entropy(judged) < ENOUGH:
            return BEHIND_READABLE
        tail = part[-overlap:] if overlap else b""
    return ""


def _resized(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of `SAMPLE`, the last one shorter."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= SAMPLE:
            yield bytes(held[:SAMPLE])
            del held[:SAMPLE]
    if held:
        yield bytes(held)


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

    def __init__(self, profile: Profile, s3: S3, tools: Mapping[str, Path]) -> None:
        """Fetch through `s3`; `tools` are the paths of `age` and `openssl`."""
        self._profile, self._s3, self._tools = profile, s3, tools

    @classmethod
    def from_profile(cls, profile: Profile) -> Keys:
        """Return the keys of the stack's kit.

        Raises:
            ProbeError: no object storage or no tool is declared.
        """
        tools = {name: profile.need_path(f"tools.{name}") for name in ("age", "openssl")}
        return cls(profile, S3.from_profile(profile), tools)

    def opens(self, service: Service, version: ObjectVersion) -> bool:
        """Return whether the service's key opens `version`; what comes out is not kept.

        Raises:
            ProbeError: no key is declared, the object cannot be fetched, or a tool does not run.
        """
        key = key_of(self._profile, service)
        with tempfile.TemporaryDirectory(prefix="assay-key-") as name:
            sealed = str(self._s3.fetch(version, Path(name) / "sealed"))
            if self._s3.head(version, 8) == HEADERS[1]:
                words = [*["enc", "-d", "-aes-256-cbc", "-md", "sha1", "-pass"], f"file:{key}", "-in", sealed]
                return tool_opens(self._tools["openssl"], words)
            return tool_opens(self._tools["age"], ["--decrypt", "--identity", key, sealed])
