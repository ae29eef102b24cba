"""Object storage: buckets, locks, versions, and their bytes, over the S3 API. Nothing here writes.

`connect` and `asking` serve the neighbours that do write (s3_trial, s3_write); only here is the client known.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from assay.config.platform import covered
from assay.config.profile import Profile, S3Access
from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.model import Attempt
from assay.probes.guard import READING, SENT, Guard
from assay.probes.s3.facts import Expiry, Hold, Lock, ObjectVersion, as_of, expiry_of, versions_of
from assay.probes.s3.requests import s3_request
from assay.secretscan.suspect import repeated


T = TypeVar("T")
# boto3 makes the class of its client at run time.
Client: TypeAlias = Any
TIMEOUT = 20.0
CHUNK = 1 << 20
AT_ONCE = 8
WENT = {"NoSuchKey", "NoSuchVersion", "404"}  # an answer to HEAD has no body, so its code is the status
DIGEST = "sha256"
ABSENT = {
    "NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchBucketPolicy",
    "NoSuchObjectLockConfiguration",
}  # fmt: skip


class AbsentError(ProbeError):
    """The object storage does not have the object that was asked for."""


def connect_s3(
    access: S3Access, key: Path, timeout: float = TIMEOUT, *, tries: int = 2, guard: Guard = READING
) -> Client:
    """Return a client that acts with the key file `key`; what `guard` does not allow is not sent.

    Raises:
        ProbeError: the file is not there or no key file; the endpoint is not given.
    """
    import boto3  # a quarter of the time that a command needs to start, and most need no object storage

    if not access.endpoint:
        raise ProbeError("the profile does not say where the object storage is", "set endpoint under [s3]")
    try:
        pair = json.loads(key.read_text(encoding="utf-8"))
        access_key, secret_key = str(pair["access_key"]), str(pair["secret_key"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # Without the cause: it may quote the file.
        raise ProbeError(
            f"{key.name}: no key file of the object storage",
            "it is JSON with access_key and secret_key; check [s3] in the profile",
        ) from None
    client = boto3.client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region,
        verify=str(access.ca) if access.ca else True,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(
            s3={"addressing_style": "path"},
            user_agent=SENT.agent,
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"total_max_attempts": tries, "mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register(
        "before-parameter-build.s3",
        lambda params, model, **_: guard.admit(s3_request(str(model.name), params, guard)),
    )
    return client


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what goes wrong inside into a ProbeError that says `what` was asked, and the remedy."""
    try:
        yield
    except ClientError as error:
        code, status = code_of(error), _status(error)
        kind = AbsentError if error.response.get("Error", {}).get("Code") in WENT else ProbeError
        raise kind(f"{what}: {status} {code}".strip(), _remedy(status, code)) from error
    except BotoCoreError as error:
        name = type(error).__name__
        raise ProbeError(
            f"{what}: {name}", "is the object storage serving, and its CA under [s3]?"
        ) from error
    except OSError as error:
        raise ProbeError(f"{what}: the connection broke ({type(error).__name__})", "ask again") from error


def code_of(error: ClientError) -> str:
    """Return the S3 error code, and the server's words if it gave any."""
    told = error.response.get("Error", {})
    return repeated(": ".join(str(word) for word in (told.get("Code"), told.get("Message")) if word))


def attempt(ref: str, act: Callable[[], object]) -> Attempt:
    """Return whether `act` got through; a refusal is a 4xx other than throttling or a bad signature.

    Raises:
        ProbeError: neither done nor refused.
    """
    try:
        with asking(ref):
            act()
    except ProbeError as problem:
        error = problem.__cause__
        if isinstance(error, ClientError) and _refusal(error):
            return Attempt(ref, admitted=False, reason=code_of(error))
        raise
    return Attempt(ref, admitted=True)


def _refusal(error: ClientError) -> bool:
    bad = {"SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "NoSuchBucket", "NoSuchKey"}
    code = error.response.get("Error", {}).get("Code")
    return _status(error) in {400, 403, 405, 409} and code not in bad


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _remedy(status: int, code: str) -> str:
    if status in {401, 403}:
        return "the key may not do this: check its file under [s3] and the bucket's policy"
    if status == 404:
        return "there is no such thing: check buckets under [s3]"
    if status >= 500 or "SlowDown" in code:
        return "the object storage is overloaded or broken: ask again, then look at its status"
    return "check [s3] in the profile"


class S3:
    """The object storage, read with the reader's key."""

    def __init__(self, access: S3Access, client: Client, further: Iterable[str] = ()) -> None:
        """Ask `client` about the buckets of `access`; `further` ones are judged too."""
        self.access, self._client, self._further = access, client, tuple(further)

    @classmethod
    def from_profile(cls, profile: Profile) -> S3:
        """Return the probe of the profile's `[s3]`.

        Raises:
            ProbeError: no endpoint, no buckets, or no reader's key.
        """
        access = profile.s3
        if not access.buckets or access.reader_key is None:
            raise ProbeError(
                "the profile names no buckets or no reader's key", "set buckets and reader_key under [s3]"
            )
        further = (one.bucket for one in profile.platform.services if one.bucket)
        return cls(access, connect_s3(access, access.reader_key), further)

    @property
    def buckets(self) -> Mapping[str, str]:
        """Return the bucket of each purpose."""
        return self.access.buckets

    @parsing("the object storage's answer")
    def judged_buckets(self) -> list[str]:
        """Return the declared buckets, then every other one that a glob of `also` names.

        They are listed with the operator's key where it is given, else with the reader's. A canary bucket
        holds no backups.
        """
        access = self.access
        declared = list(dict.fromkeys([*self.buckets.values(), *self._further]))
        if not access.also:
            return declared
        client = connect_s3(access, access.operator_key) if access.operator_key else self._client
        with asking("list of buckets"):
            names = [str(entry["Name"]) for entry in client.list_buckets()["Buckets"]]
        known = {*declared, access.canary_bucket}
        return [*declared, *(name for name in names if name not in known and covered(name, access.also))]

    def policy(self, bucket: str) -> str:
        """Return the bucket's policy as JSON text, empty where it has none."""
        found = self._maybe(f"policy of {bucket}", lambda: self._client.get_bucket_policy(Bucket=bucket))
        return str(found.get("Policy", ""))

    @parsing("the object storage's answer")
    def lock(self, bucket: str) -> Lock:
        """Return the bucket's object lock and versioning."""
        found = self._maybe(
            f"object lock of {bucket}", lambda: self._client.get_object_lock_configuration(Bucket=bucket)
        ).get("ObjectLockConfiguration", {})
        with asking(f"versioning of {bucket}"):
            status = self._client.get_bucket_versioning(Bucket=bucket).get("Status", "")
        default = found.get("Rule", {}).get("DefaultRetention", {})
        days = default.get("Days") or (default["Years"] * 365 if default.get("Years") else None)
        enabled = found.get("ObjectLockEnabled") == "Enabled"
        return Lock(bucket, enabled, str(status), str(default.get("Mode", "")), days)

    @parsing("the object storage's answer")
    def expiries(self, bucket: str) -> list[Expiry]:
        """Return the bucket's life-cycle rules; empty where it has none."""
        found = self._maybe(
            f"life cycle of {bucket}", lambda: self._client.get_bucket_lifecycle_configuration(Bucket=bucket)
        )
        return [expiry_of(rule) for rule in found.get("Rules", [])]

    def versions(self, bucket: str, prefix: str = "") -> list[ObjectVersion]:
        """Return every version and delete marker below `prefix`; errors as for `each_version`."""
        return list(self.each_version(bucket, prefix))

    def each_version(self, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
        """Yield every version and delete marker below `prefix`, to the last page, one page held at a time.

        Raises:
            ProbeError: refused, or a page says that more follows and not where.
        """
        place: dict[str, str] = {}
        while True:
            with asking(f"versions in {bucket}"):
                page = self._client.list_object_versions(Bucket=bucket, Prefix=prefix, **place)
            with parsing("the object storage's answer"):
                rows = versions_of(bucket, page)
            yield from rows
            if not page.get("IsTruncated"):
                return
            following = {
                "KeyMarker": page.get("NextKeyMarker"),
                "VersionIdMarker": page.get("NextVersionIdMarker"),
            }
            onward = {key: value for key, value in following.items() if value}
            if not onward or onward == place:
                raise ProbeError(
                    f"versions in {bucket}: the list breaks off", "ask again; the store lost its place"
                )
            place = onward

    @parsing("the object storage's answer")
    def hold(self, version: ObjectVersion) -> Hold:
        """Return how `version` is locked, from its own head."""
        with asking(f"head of {version.ref}"):
            head = self._client.head_object(Bucket=version.bucket, Key=version.key, VersionId=version.id)
        return Hold(version, str(head.get("ObjectLockMode", "")), head.get("ObjectLockRetainUntilDate"))

    def holds(self, versions: Sequence[ObjectVersion]) -> list[Hold]:
        """Return the lock of each version that is no delete marker and was not removed since the list."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = (one for one in versions if not one.marker)
            found = pool.map(lambda one: self.unless_gone(one, lambda: self.hold(one)), asked)
            return [one for one in found if one is not None]

    def as_of(self, bucket: str, moment: dt.datetime, prefix: str = "") -> list[ObjectVersion]:
        """Return the versions that made up the bucket at `moment`."""
        return as_of(self.versions(bucket, prefix), moment)

    def read(self, version: ObjectVersion, most: int = 1 << 28) -> bytes:
        """Return the bytes of `version`, length and checksums compared.

        Raises:
            ProbeError: refused, cut short, not what was uploaded, or more than `most` bytes.
        """
        if version.size > most:
            raise ProbeError(f"{version.ref}: {version.size} bytes, more than {most}", "fetch it to a file")
        return b"".join(self.chunks(version))

    def head(self, version: ObjectVersion, most: int = 4096) -> bytes:
        """Return the first bytes of `version`, at most `most`.

        Raises:
            ProbeError: refused, or fewer came than there are.
        """
        what, least = f"get {version.ref}", min(most, version.size)
        if not least:
            return b""
        place = {"Bucket": version.bucket, "Key": version.key, "VersionId": version.id}
        with asking(what):
            got = bytes(self._client.get_object(**place, Range=f"bytes=0-{least - 1}")["Body"].read())
        if len(got) != least:
            raise ProbeError(f"{what}: {len(got)} bytes of {least}", "ask again")
        return got

    def heads(self, versions: Sequence[ObjectVersion], most: int = 4096) -> list[tuple[ObjectVersion, bytes]]:
        """Return each version with its first bytes, a few asked at a time, without those that went meanwhile.

        Errors as for `head`.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda one: self.unless_gone(one, lambda: self.head(one, most)), versions)
            return [(one, head) for one, head in zip(versions, found, strict=True) if head is not None]

    def unless_gone(self, version: ObjectVersion, ask: Callable[[], T]) -> T | None:
        """Return the answer about a version that was listed, None where it was removed since.

        The list decides: what it still has and the store does not hand out is an error.
        """
        try:
            return ask()
        except AbsentError:
            if any(one.id == version.id for one in self.versions(version.bucket, version.key)):
                raise
            return None

    def fetch(self, version: ObjectVersion, to: Path) -> Path:
        """Return `to` after the bytes of `version` were written there, length and checksums compared.

        Raises:
            ProbeError: as for `read`, or the disk is full; the file is then removed.
        """
        try:
            with to.open("wb") as out:
                for chunk in self.chunks(version):
                    out.write(chunk)
        except OSError as error:
            to.unlink(missing_ok=True)
            raise ProbeError(f"{to.name}: {error.strerror}", "make room on the disk") from error
        except ProbeError:
            to.unlink(missing_ok=True)
            raise
        return to

    def chunks(self, version: ObjectVersion) -> Iterator[bytes]:
        """Yield the bytes of `version` piece by piece; length and checksums are compared at their end.

        Raises:
            ProbeError: refused, cut short, or not what was uploaded.
        """
        what, md5, sha, got = f"get {version.ref}", hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
        with asking(what):
            reply = self._client.get_object(Bucket=version.bucket, Key=version.key, VersionId=version.id)
        body = _body(what, reply)
        for chunk in body:
            md5.update(chunk)
            sha.update(chunk)
            got += len(chunk)
            yield chunk
        _compare(what, reply, version, got, md5.hexdigest(), sha.hexdigest())

    def _maybe(self, what: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the answer, or nothing where the store says that there is none."""
        try:
            with asking(what):
                return ask()
        except ProbeError as problem:
            error = problem.__cause__
            if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in ABSENT:
                return {}
            raise


def _body(what: str, reply: Mapping[str, Any]) -> Iterator[bytes]:
    stream = reply["Body"].iter_chunks(CHUNK)
    while True:
        with asking(what):
            chunk = next(stream, None)
        if chunk is None:
            return
        yield chunk


def _compare(
    what: str, reply: Mapping[str, Any], version: ObjectVersion, got: int, md5: str, sha: str
) -> None:
    """Compare what came with what the store and the uploader said; the ETag of one part is its MD5."""
    again = "fetch it again; if it stays so, the object is damaged"
    if got != version.size or got != reply.get("ContentLength", got):
        raise ProbeError(f"{what}: {got} bytes of {version.size}", again)
    told = {word.strip('"') for word in (version.etag, str(reply.get("ETag", ""))) if word}
    plain = {etag for etag in told if len(etag) == len(md5) and "-" not in etag}
    if reply.get("ServerSideEncryption") in {None, "AES256"} and plain - {md5}:
        raise ProbeError(f"{what}: the bytes do not match their ETag", again)
    wanted = reply.get("Metadata", {}).get(DIGEST)
    if wanted and wanted.lower() != sha:
        raise ProbeError(f"{what}: the bytes do not match the SHA-256 that was uploaded with them", again)
