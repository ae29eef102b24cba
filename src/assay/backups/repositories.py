"""Encrypted repositories of backup tools, known by their own objects: kopia, restic, WAL-G, Longhorn.

Their blobs carry no header that says so; a repository is known by its configuration, which is parsed, and its
blobs must then look random. What such a tool stores in clear by design (key derivation, sentinels) is checked
to hold nothing but the fields that it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from assay.errors import ProbeError
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion


MAX_CONFIG_BYTES = 1 << 16
MAX_ROOTS = 1000
INFO = ".info"
# What a field says that is there and names no cipher.
ABSENT = (None, "", "NONE", "none", 0)


@dataclass(frozen=True, slots=True)
class RepositoryLayout:
    """How a tool lays out a repository.

    Attributes:
        tool: its name.
        mark: the object by which a repository is known; group 1 is the root of the repository.
        needed: fields of the JSON that the mark holds, none of them empty; without them it is another thing.
        clear: objects in clear by design, below the root.
        fields: the only fields that those may have.
        unsure: objects whose ciphertext looks like a compressed archive that has no header: brotli.
        packed: objects whose content is packed after it was encrypted.
    """

    tool: str
    mark: re.Pattern[str]
    needed: frozenset[str]
    clear: re.Pattern[str]
    fields: frozenset[str]
    unsure: re.Pattern[str] = re.compile(r"(?!)")
    packed: re.Pattern[str] = re.compile(r"(?!)")


LAYOUTS = (
    # kopia's format block: https://github.com/kopia/kopia/blob/master/repo/format/format_blob.go
    RepositoryLayout(
        "kopia",
        re.compile(r"^(.*?)kopia\.repository$"),
        frozenset({"keyAlgo", "encryption", "encryptedBlockFormat"}),
        re.compile(r"kopia\.repository"),
        frozenset({"tool", "buildVersion", "buildInfo", "uniqueID", "keyAlgo", "version", "encryption",
                   "encryptedBlockFormat", "formatBlockSize"}),
    ),
    # restic's key files: https://restic.readthedocs.io/en/stable/100_references.html#keys-encryption-and-mac
    RepositoryLayout(
        "restic",
        re.compile(r"^(.*?)keys/[0-9a-f]{64}$"),
        frozenset({"kdf", "salt", "data"}),
        re.compile(r"keys/[0-9a-f]{64}"),
        frozenset({"created", "username", "hostname", "kdf", "N", "r", "p", "salt", "data"}),
    ),
    # WAL-G's sentinel of a base backup, which is not encrypted: names, sizes and positions in the log.
    RepositoryLayout(
        "WAL-G",
        re.compile(r"^(.*?)basebackups_005/[^/]+_backup_stop_sentinel\.json$"),
        frozenset({"LSN", "PgVersion"}),
        re.compile(r"basebackups_005/[^/]+(_backup_stop_sentinel\.json|/metadata\.json)"),
        frozenset({"LSN", "PgVersion", "FinishLSN", "SystemIdentifier", "UncompressedSize", "CompressedSize",
                   "DataCatalogSize", "DeltaLSN", "DeltaFrom", "DeltaFullName", "DeltaCount", "Version",
                   "Spec", "UserData", "FilesMetadataDisabled", "BackupStartChkpNum", "IncrementFrom",
                   "IncrementFromLSN", "IncrementFullName", "IncrementCount", "start_time", "finish_time",
                   "date_fmt", "hostname", "data_dir", "pg_version", "start_lsn", "finish_lsn",
                   "is_permanent", "system_identifier", "uncompressed_size", "compressed_size",
                   "user_data"}),
        re.compile(r".*\.br"),
    ),
    # Longhorn's backup store. It encrypts nothing itself: blocks of an encrypted volume are its ciphertext.
    # https://github.com/longhorn/backupstore, known by its published shape.
    RepositoryLayout(
        "Longhorn",
        re.compile(r"^(.*?backupstore/volumes/[0-9a-f]{2}/[0-9a-f]{2}/[^/]+/)volume\.cfg$"),
        frozenset({"Name", "Size"}),
        re.compile(r"volume\.cfg|backups/backup_[^/]+\.cfg"),
        frozenset({"Name", "Size", "Labels", "CreatedTime", "LastBackupName", "LastBackupAt", "BlockCount",
                   "BackingImageName", "BackingImageChecksum", "CompressionMethod", "StorageClassName",
                   "DataEngine", "VolumeName", "SnapshotName", "SnapshotCreatedAt", "Parameters", "Blocks",
                   "IsIncremental", "NewlyUploadedDataSize", "ReUploadedDataSize", "ProcessingBlocks",
                   "SingleFile"}),
        packed=re.compile(r"blocks/.*\.blk"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of a known tool: where it begins in its bucket."""

    layout: RepositoryLayout
    root: str

    def holds(self, key: str) -> bool:
        """Return whether the object called `key` lies in it."""
        return key.startswith(self.root)

    def in_clear(self, key: str) -> bool:
        """Return whether the tool stores the object called `key` in clear by design."""
        return self.layout.clear.fullmatch(key.removeprefix(self.root)) is not None

    def packed(self, key: str) -> bool:
        """Return whether this object is a piece of a volume, packed after the volume encrypted it."""
        return self.layout.packed.fullmatch(key.removeprefix(self.root)) is not None

    def unsure(self, key: str) -> bool:
        """Return whether the bytes of this object cannot be told from an archive without a header."""
        return self.layout.unsure.fullmatch(key) is not None

    def fault(self, body: bytes) -> str:
        """Return why an object that is in clear by design holds more than the tool writes, empty if not."""
        known = _fields(body)
        if known is None:
            return f"is called as {self.layout.tool} calls what it stores in clear, and is no such thing"
        more = sorted(known.keys() - self.layout.fields)
        return f"holds {', '.join(more)}, which {self.layout.tool} does not write in clear" if more else ""


@dataclass(slots=True)
class BucketContent:
    """What is noticed while the listing of a bucket passes: marks of repositories, and what a key must open.

    Attributes:
        marks: (tool, root) -> the object by which the repository is known.
        newest: the newest object that is shown.
        newest_info: the newest `.info` of pgBackRest: only these are encrypted with the escrowed passphrase.
    """

    marks: dict[tuple[str, str], ObjectVersion] = field(default_factory=dict)
    newest: ObjectVersion | None = None
    newest_info: ObjectVersion | None = None

    def watch(self, versions: Iterable[ObjectVersion]) -> Iterator[ObjectVersion]:
        """Yield every version, and notice what is noticed.

        Raises:
            ProbeError: more repositories than anybody has.
        """
        for one in versions:
            if one.shown:
                self._notice(one)
            yield one

    def to_open(self) -> ObjectVersion | None:
        """Return the object that the escrowed key of the service must open, None where there is none."""
        return self.newest_info or self.newest

    def repositories(self, s3: S3) -> list[Repository]:
        """Return those whose marks are what the tool writes, the innermost first.

        Raises:
            ProbeError: a mark cannot be read.
        """
        by_tool = {layout.tool: layout for layout in LAYOUTS}
        found = []
        for (tool, root), mark in self.marks.items():
            layout = by_tool[tool]
            known = _fields(s3.head(mark, MAX_CONFIG_BYTES)) if mark.size <= MAX_CONFIG_BYTES else None
            if known is not None and all(known.get(name) not in ABSENT for name in layout.needed):
                found.append(Repository(layout, root))
        return sorted(found, key=lambda one: len(one.root), reverse=True)

    def _notice(self, one: ObjectVersion) -> None:
        self.newest = _later(self.newest, one)
        if one.key.endswith(INFO):
            self.newest_info = _later(self.newest_info, one)
        for layout in LAYOUTS:
            if found := layout.mark.match(one.key):
                self.marks.setdefault((layout.tool, found[1]), one)
        if len(self.marks) > MAX_ROOTS:
            raise ProbeError(
                f"Bucket {one.bucket}: more than {MAX_ROOTS} repositories", "look what writes to it"
            )


def _later(known: ObjectVersion | None, one: ObjectVersion) -> ObjectVersion:
    return one if known is None or one.modified > known.modified else known


def _fields(body: bytes) -> Mapping[str, object] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
