"""The restorable points of etcd: snapshots in object storage, opened with what a restore would have.

The reader's key, the age identity of the escrow kit, etcd's own restore tool. A point is good if it is
encrypted, opens with the escrow key, carries its checksum, restores into an empty place and then holds what
only this cluster can have put there.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from assay.backups import snapshot
from assay.backups.places import bucket_of, key_of
from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.formats.bolt import MAGIC
from assay.formats.packed import dearmoured
from assay.formats.tools import tool_opens
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion


AGE_HEADER = b"age-encryption.org/v1\n"
BBOLT_HEADER = MAGIC.to_bytes(4, "little")
KNOWN_KEY = "/registry/namespaces/kube-system"
RESTORED = Path("data/member/snap/db")


@dataclass(frozen=True, slots=True)
class Point:
    """A snapshot looked into: its object, why it cannot be restored (empty: it can), bytes unpacked."""

    version: ObjectVersion
    fault: str = ""
    size: int = 0

    @property
    def ref(self) -> str:
        """Return `Object bucket/key`."""
        return self.version.ref


class Points:
    """The snapshots of etcd in one bucket."""

    def __init__(
        self, s3: S3, bucket: str, prefix: str, identity: Path, tools: dict[str, Path], known: str
    ) -> None:
        """Read from `bucket` below `prefix`, open with the age `identity`.

        `tools` are the paths of `age` and `etcdutl`, `known` the UID of the cluster's kube-system namespace.
        """
        self._s3, self._bucket, self._prefix, self._identity = s3, bucket, prefix, identity
        self._tools, self._known = tools, known

    @classmethod
    def from_profile(cls, profile: Profile) -> Points:
        """Return the snapshots of the profile's stack.

        Raises:
            ProbeError: no object storage, no escrowed key, no tool, or no cluster is given.
        """
        s3, etcd = S3.from_profile(profile), profile.platform.etcd
        bucket, identity = bucket_of(profile, etcd), key_of(profile, etcd)
        tools = {name: profile.need_path(f"tools.{name}") for name in ("age", "etcdutl")}
        return cls(s3, bucket, etcd.prefix, identity, tools, profile.need_cluster())

    def snapshots(self) -> list[ObjectVersion]:
        """Return every snapshot that a plain listing shows, newest first."""
        found = [one for one in self._s3.each_version(self._bucket, self._prefix) if one.shown]
        return sorted(found, key=lambda one: one.modified, reverse=True)

    def open(self, version: ObjectVersion) -> Point:
        """Return what came of fetching, decrypting, checking and restoring one snapshot in a private folder.

        Raises:
            ProbeError: it could not be fetched whole, a tool does not run, or the disk is full.
        """
        with tempfile.TemporaryDirectory(prefix="assay-point-") as name:
            folder = Path(name)
            sealed = self._s3.fetch(version, folder / "sealed")
            if fault := encryption_fault(sealed):
                return Point(version, fault)
            clear = folder / "etcd.snapshot"
            decrypt = ["--decrypt", "--identity", self._identity, "--output", clear, sealed]
            fault = self._run("age", decrypt, "it does not open with the escrow key")
            return Point(version, fault or self._restored(clear), clear.stat().st_size if not fault else 0)

    def _restored(self, clear: Path) -> str:
        try:
            if not snapshot.holds_key(clear, KNOWN_KEY, self._known.encode()):
                return f"it does not hold {KNOWN_KEY} of this cluster"
        except ProbeError as why:
            return why.message
        status = self._run("etcdutl", ["snapshot", "status", clear], "etcd's own tool refuses it")
        data = clear.parent / "data"
        restore = ["snapshot", "restore", clear, "--data-dir", data]
        fault = status or self._run("etcdutl", restore, "it does not restore")
        if fault:
            return fault
        whole = snapshot.holds_key(clear.parent / RESTORED, KNOWN_KEY, self._known.encode(), digest=False)
        return "" if whole else f"restored, it does not hold {KNOWN_KEY} of this cluster"

    def _run(self, tool: str, words: list[object], otherwise: str) -> str:
        return "" if tool_opens(self._tools[tool], words) else otherwise


def encryption_fault(path: Path) -> str:
    """Return why the file is not encrypted for the escrow key's kind of tool, empty if it is.

    Raises:
        ProbeError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as why:
        raise ProbeError(f"{path.name}: {why.strerror}", "make room where temporary files lie") from why
    if b"".join(dearmoured([head])).startswith(AGE_HEADER):
        return ""
    raw = BBOLT_HEADER in head[:32]
    return "it is a plain database: every Secret in it can be read" if raw else "it is not encrypted with age"
