"""Attempts on buckets: where they are made, what they find, and that a kill leaves nothing changed."""
# ruff: noqa: N803 - parameters are spelled as boto3 does

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from assay.config.profile import Profile, S3Access
from assay.effect import Effect
from assay.errors import GuardError, ProbeError
from assay.probes.s3.client import S3
from assay.writers import bucket_journal, lock_trial
from assay.writers.bucket_journal import FOLDER, BucketJournal
from assay.writers.lock_trial import lock_trials


class Killed(BaseException):
    """The process ends here, as by SIGKILL: nothing after it runs."""


def killed(*_: object) -> None:
    """Stand in for a `finally` that a killed process does not reach."""
    raise Killed


def refused(code: str = "AccessDenied") -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "Any")


class Store:
    """Buckets in memory, with the settings that attempts aim at; `weak` is what every key may do."""

    def __init__(self, *buckets: str) -> None:
        self.versioning = dict.fromkeys(buckets, "Enabled")
        self.days: dict[str, int | None] = dict.fromkeys(buckets, 30)
        self.objects: dict[str, list[dict[str, Any]]] = {name: [] for name in buckets}
        self.weak: set[str] = set()
        self.killed_in = ""
        self.calls: list[tuple[str, str, str]] = []
        self.now = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)

    def key(self, name: str) -> Key:
        return Key(self, name)


class Key:
    """A client with one key."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - as boto3 has it
            self.store.calls.append((self.name, operation, given.get("Bucket", "")))
            answer: dict[str, Any] = getattr(self, f"_{operation}")(**given)
            if self.store.killed_in == operation:
                raise Killed
            return answer

        return call

    def _allowed(self, operation: str, *keys: str) -> None:
        if operation not in self.store.weak and self.name not in keys:
            raise refused()

    def _get_bucket_versioning(self, *, Bucket: str) -> dict[str, Any]:
        return {"Status": self.store.versioning[Bucket]}

    def _get_object_lock_configuration(self, *, Bucket: str) -> dict[str, Any]:
        days = self.store.days[Bucket]
        rule = {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}}} if days else {}
        return {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", **rule}}

    def _put_bucket_versioning(
        self, *, Bucket: str, VersioningConfiguration: dict[str, str]
    ) -> dict[str, Any]:
        self._allowed("versioning")
        self.store.versioning[Bucket] = VersioningConfiguration["Status"]
        return {}

    def _put_object_lock_configuration(
        self,
        *,
        Bucket: str,
        ObjectLockConfiguration: dict[str, Any],
    ) -> dict[str, Any]:
        self._allowed("lock")
        default = ObjectLockConfiguration.get("Rule", {}).get("DefaultRetention", {})
        self.store.days[Bucket] = default.get("Days")
        return {}

    def _list_object_versions(self, *, Bucket: str, Prefix: str = "", **_: object) -> dict[str, Any]:
        return {"Versions": [one for one in self.store.objects[Bucket] if one["Key"].startswith(Prefix)]}

    def _list_objects_v2(self, *, Bucket: str, **_: object) -> dict[str, Any]:
        if self.name not in (Bucket, "operator", "reader"):
            raise refused()
        return {}

    def _put_object(self, *, Bucket: str, Key: str, **_: object) -> dict[str, Any]:
        self._allowed("put", Bucket, "operator")
        rows, self.store.now = self.store.objects[Bucket], self.store.now + dt.timedelta(seconds=2)
        rows.append({"Key": Key, "VersionId": str(len(rows)), "Size": 6, "IsLatest": True, "ETag": "",
                     "LastModified": self.store.now})  # fmt: skip
        return {"VersionId": str(len(rows) - 1)}

    def _delete_object(self, *, VersionId: str = "", **_: object) -> dict[str, Any]:
        self._allowed("put", "backups", "canaries", "operator")
        if VersionId.isdigit():
            raise refused("AccessDenied: forbidden by object lock")
        return {"VersionId": "marker"}

    def _put_object_retention(self, *, Retention: dict[str, Any], **_: object) -> dict[str, Any]:
        if Retention["RetainUntilDate"] < self.store.now + dt.timedelta(days=30):
            raise refused("AccessDenied: forbidden by object lock")
        return {}

    def _head_object(self, **_: object) -> dict[str, Any]:
        until = self.store.now + dt.timedelta(days=30)
        return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}

    def _delete_bucket(self, *, Bucket: str) -> dict[str, Any]:
        self._allowed("delete")
        if self.store.objects[Bucket]:
            raise refused("BucketNotEmpty")
        del self.store.objects[Bucket]
        return {}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store("backups", "canaries")

    def connect(_: S3Access, key: Path, **__: object) -> Key:
        return made.key(key.stem)

    for module in (lock_trial, bucket_journal):
        monkeypatch.setattr(module, "connect_s3", connect)
    monkeypatch.setattr(lock_trial, "CLOCK_TICK_S", 0)
    return made


def access(**changed: object) -> S3Access:
    given: dict[str, Any] = {
        "endpoint": "https://s3",
        "buckets": {"etcd": "backups"},
        "writer_keys": {"etcd": Path("backups.json")},
        "reader_key": Path("reader.json"), "operator_key": Path("operator.json"),
        "canary_bucket": "canaries", "canary_key": Path("canaries.json"), **changed,
    }  # fmt: skip
    return S3Access(**given)


@pytest.fixture
def profile(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Profile:
    made = Profile(tmp_path / "p.toml", "p", "production", s3=access())
    client: Any = store.key("reader")
    monkeypatch.setattr(S3, "from_profile", lambda one: S3(one.s3, client))
    return made


def tried(profile: Profile, *, on_backups: bool = False) -> dict[str, bool]:
    """Return every attempt by name, and whether it was admitted."""
    s3 = S3.from_profile(profile)
    pairs = [pair for trial in lock_trials(profile, s3, on_backups=on_backups) for pair in trial.attempts()]
    assert all(pair.baseline.admitted for pair in pairs)
    return {pair.attempt.ref: pair.attempt.admitted for pair in pairs}


def test_outside_a_lab_only_the_canary_bucket_is_touched(profile: Profile, store: Store) -> None:
    found = tried(profile)
    assert not any(found.values())
    assert {"delete version in Bucket canaries as the operator", "upload in Bucket canaries as the reader",
            "drop default retention in Bucket canaries as the canary writer"} <= found.keys()  # fmt: skip
    changes = {bucket for _, what, bucket in store.calls if not what.startswith(("get_", "list_", "head_"))}
    assert changes == {"canaries"}


def test_without_a_canary_bucket_nothing_is_tried(profile: Profile, store: Store) -> None:
    bare = replace(profile, s3=access(canary_bucket="", canary_key=None))
    assert lock_trials(bare, S3.from_profile(bare), on_backups=False) == []
    assert not store.calls


def test_backups_are_tried_in_a_lab_only(profile: Profile, store: Store) -> None:
    with pytest.raises(GuardError, match="is a production stack, not a lab"):
        tried(profile, on_backups=True)
    assert not store.calls


@pytest.mark.parametrize(("weak", "found"), [
    ("versioning", "suspend versioning"), ("lock", "drop default retention"), ("delete", "delete bucket"),
])  # fmt: skip
def test_what_gets_through_is_found_and_put_right(
    profile: Profile, store: Store, weak: str, found: str
) -> None:
    store.weak.add(weak)
    admitted = {name for name, through in tried(profile).items() if through}
    assert f"{found} in Bucket canaries as the canary writer" in admitted
    assert (store.versioning["canaries"], store.days["canaries"]) == ("Enabled", 30)
    assert "canaries" in store.objects
    assert not list((profile.file.parent / FOLDER).glob("*"))


@pytest.mark.parametrize("operation", ["put_bucket_versioning", "put_object_lock_configuration"])
def test_a_kill_in_mid_attempt_is_put_back_by_the_next_run(
    profile: Profile, store: Store, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill runs no `finally`: the attempt's own undo is taken away, the file on disk is what remains."""
    store.weak |= {"versioning", "lock"}
    store.killed_in = operation
    with monkeypatch.context() as kill:
        kill.setattr(BucketJournal, "_set", killed)
        with pytest.raises(Killed):
            tried(profile)
    assert (store.versioning["canaries"], store.days["canaries"]) != ("Enabled", 30)
    assert len(list((profile.file.parent / FOLDER).glob("*.json"))) == 1
    store.killed_in = ""
    assert BucketJournal.from_profile(profile).put_back() == ["Bucket canaries"]
    assert (store.versioning["canaries"], store.days["canaries"]) == ("Enabled", 30)
    assert BucketJournal.from_profile(profile).put_back() == []


def test_the_settings_are_on_disk_before_the_attempt(
    profile: Profile, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    original = Key._put_bucket_versioning

    def watched(self: Key, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        seen.append([path.name for path in (profile.file.parent / FOLDER).glob("*.json")])
        return original(self, **given)

    monkeypatch.setattr(Key, "_put_bucket_versioning", watched)
    tried(profile)
    assert seen
    assert all(files for files in seen)
    assert store.versioning["canaries"] == "Enabled"


def test_a_journal_that_cannot_be_read_stops_the_attempts(profile: Profile, store: Store) -> None:
    folder = profile.file.parent / FOLDER
    folder.mkdir()
    for text in ("{", "[]", json.dumps({"bucket": "canaries"})):
        (folder / "canaries.x.json").write_text(text)
        with pytest.raises(GuardError, match="cannot be read"):
            tried(profile)
    assert not store.calls


def test_a_canary_bucket_without_its_key_is_an_error(profile: Profile) -> None:
    bare = replace(profile, s3=access(canary_key=None))
    with pytest.raises(ProbeError, match="no writer's key for the canary bucket"):
        lock_trials(bare, S3.from_profile(bare), on_backups=False)


def test_attempts_go_through_a_guarded_client(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    guards: list[Any] = []

    def connect(_: S3Access, key: Path, **more: object) -> Key:
        guards.append(more["guard"])
        return Store("canaries", "backups").key(key.stem)

    monkeypatch.setattr(lock_trial, "connect_s3", connect)
    lock_trials(profile, S3.from_profile(profile), on_backups=False)
    assert {(guard.effect, guard.decoys) for guard in guards} == {(Effect.DECOY, ("canaries",))}
