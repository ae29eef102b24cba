"""Snapshots of etcd that a violation uploads with the writer's own key, on a lab only.

Object lock keeps what was uploaded; on the way out it is hidden by a delete marker, so that a listing shows
the real ones again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from assay.backups.places import bucket_of
from assay.config.platform import Service
from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import GuardError, ProbeError
from assay.probes.guard import Guard
from assay.probes.s3.client import S3, Client, asking, connect_s3
from assay.probes.s3.facts import ObjectVersion
from assay.writers.lab import require_lab


# What a cipher's header promises and no key opens: a control that looks at headers only is not misled by it
# after the plant, while the lock still holds it.
UNOPENABLE = b"age-encryption.org/v1\n-> X25519 bm9ib2R5\nbm9ib2R5\n--- bm9ib2R5\n" + bytes(
    hashlib.shake_256(b"planted").digest(4096)
)


class RestorePointWriter:
    """What a violation may do to the snapshots of a lab."""

    def __init__(self, s3: S3, client: Client, bucket: str, prefix: str) -> None:
        """Read through `s3`, write through `client` to `bucket` below `prefix`."""
        self._s3, self._client, self._bucket, self._prefix = s3, client, bucket, prefix

    @classmethod
    def from_profile(cls, profile: Profile, service: Service | None = None) -> RestorePointWriter:
        """Return the write side for the snapshots of a service of the lab of `profile`; default: etcd's.

        Raises:
            GuardError: the stack is not a lab.
            ProbeError: the profile lacks the writer's key of the bucket.
        """
        require_lab(profile)
        whose = service or profile.platform.etcd
        key = profile.s3.writer_keys.get(whose.name)
        if key is None:
            raise ProbeError(
                f"the profile names no writer's key for {whose.name}", "set writer_keys under [s3]"
            )
        client = connect_s3(profile.s3, key, guard=Guard(Effect.WRITES))
        return cls(S3.from_profile(profile), client, bucket_of(profile, whose), whose.prefix)

    def newest(self) -> bytes:
        """Return the bytes of the newest snapshot as it lies there.

        Raises:
            GuardError: there is none.
        """
        found = sorted(self._shown(), key=lambda one: one.modified)
        if not found:
            raise GuardError("there is no snapshot to plant from", "take one first")
        return self._s3.read(found[-1])

    @contextmanager
    def uploaded(self, content: bytes, what: str, *, oldest: bool = False) -> Iterator[str]:
        """Yield the name of a new object with `content`, the newest of all; hidden on the way out.

        `oldest`: by its name the oldest of all.
        """
        stamp = "19991231T235959Z" if oldest else dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        key = f"{self._prefix}{stamp}.planted-{what}.snapshot.age"
        with asking(f"put Object {self._bucket}/{key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
        try:
            yield f"Object {self._bucket}/{key}"
        finally:
            self._hide(key)

    @contextmanager
    def hidden_after(self) -> Iterator[None]:
        """Hide whatever snapshots were uploaded while the body ran."""
        before = {one.key for one in self._shown()}
        try:
            yield
        finally:
            for one in self._shown():
                if one.key not in before:
                    self._hide(one.key)

    def shown(self) -> frozenset[str]:
        """Return the names of the objects that a listing shows."""
        return frozenset(one.ref for one in self._shown())

    def _shown(self) -> list[ObjectVersion]:
        return [v for v in self._s3.versions(self._bucket, self._prefix) if v.shown]

    def _hide(self, key: str) -> None:
        with asking(f"hide Object {self._bucket}/{key}"):
            self._client.delete_object(Bucket=self._bucket, Key=key)
