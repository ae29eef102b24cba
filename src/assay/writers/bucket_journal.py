"""What an attempt on a bucket's settings may change, on disk before it is made, and put back after a kill."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import GuardError
from assay.formats.parsing import WRONG
from assay.probes.guard import Guard
from assay.probes.s3.client import S3, Client, asking, connect_s3
from assay.probes.s3.facts import Lock


FOLDER = "tried-buckets"


class BucketJournal:
    """The settings of buckets that attempts are made on: versioning and default retention.

    One file for each attempt that is under way, written and synced before it.
    """

    def __init__(self, s3: S3, folder: Path) -> None:
        """Read settings through `s3`, keep the files in `folder`."""
        self._s3, self._folder = s3, folder

    @classmethod
    def from_profile(cls, profile: Profile) -> BucketJournal:
        """Return the journal of the stack of `profile`, beside its file.

        Raises:
            ProbeError: the profile names no object storage.
        """
        return cls(S3.from_profile(profile), profile.file.parent / FOLDER)

    @contextmanager
    def kept(self, lock: Lock, key: Path, client: Client) -> Iterator[None]:
        """Keep the settings of `lock` while an attempt is made with the key file `key`; set them again after.

        Raises:
            ProbeError: they could not be set again; the file stays, for the next run.
        """
        note = self._folder / f"{lock.bucket}.{key.stem}.json"
        kept = {"bucket": lock.bucket, "key": str(key), "versioning": lock.versioning}
        _write_durably(note, json.dumps({**kept, "mode": lock.mode, "days": lock.days}))
        try:
            yield
        finally:
            self._set(lock, client)
            note.unlink()

    def put_back(self) -> list[str]:
        """Put back what the attempts of a killed run left changed, and return the names of the buckets.

        Raises:
            GuardError: a file cannot be read.
            ProbeError: the settings could not be set again.
        """
        done = []
        for note in sorted(self._folder.glob("*.json")):
            lock, key = _read(note)
            self._set(lock, connect_s3(self._s3.access, key, guard=Guard(Effect.WRITES)))
            note.unlink()
            done.append(lock.ref)
        return done

    def _set(self, lock: Lock, client: Client) -> None:
        now, place = self._s3.lock(lock.bucket), {"Bucket": lock.bucket}
        if now.versioning != lock.versioning:
            with asking(f"put back the versioning of {lock.bucket}"):
                wanted = {"Status": lock.versioning}
                client.put_bucket_versioning(**place, VersioningConfiguration=wanted)
        if (now.mode, now.days) != (lock.mode, lock.days) and lock.days is not None:
            rule = {"DefaultRetention": {"Mode": lock.mode, "Days": lock.days}}
            with asking(f"put back the default retention of {lock.bucket}"):
                client.put_object_lock_configuration(
                    **place, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
                )


def _read(note: Path) -> tuple[Lock, Path]:
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
        lock = Lock(kept["bucket"], True, kept["versioning"], kept["mode"], kept["days"])
        return lock, Path(kept["key"])
    except (OSError, *WRONG):
        remedy = "compare the bucket's lock and versioning by hand, then delete the file"
        raise GuardError(f"{note}: cannot be read", remedy) from None


def _write_durably(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
