"""Object storage with object lock for the backups: one bucket and one writer key per service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from lab.layout import STATE, name_of
from lab.parts.objectstore.server import ENDPOINT, PROGRAMS, Store
from lab.parts.part import Context, Part, Tables


PURPOSES = ("etcd", "vault", "postgres")
BUCKETS = {purpose: name_of("Bucket", f"{purpose}-backups") for purpose in PURPOSES}
LOCK_DAYS = 1  # as docs/backups-and-restore.md says for the lab
# As infra/backups.tf declares: days until a snapshot expires (pgBackRest expires its own), and until a
# noncurrent version is removed.
LIFE: Mapping[str, tuple[int | None, int]] = {
    "etcd": (30, 30),
    "vault": (30, 30),
    "postgres": (None, 35),
    "canary": (1, 1),
}
FOLDER = "objectstore"
OPERATOR, READER = name_of("S3User", "operator"), name_of("S3User", "reader")
WRITERS = {purpose: name_of("S3User", f"{purpose}-writer") for purpose in PURPOSES}
# Purpose -> bucket and writer; the canary bucket is made as the others, for the attempts of the suite.
PLACES = {purpose: (BUCKETS[purpose], WRITERS[purpose]) for purpose in PURPOSES} | {
    "canary": (name_of("Bucket", "assay-canaries"), name_of("S3User", "canary-writer"))
}
# Keys of the real provider have every right on objects, so only the lock protects them: a writer may request
# the deletion of a version and another retention. It may not change the bucket itself.
LIST = ("ListBucket", "ListBucketVersions", "GetBucketLocation", "GetBucketVersioning")
LOOK = (*LIST, "GetBucketObjectLockConfiguration", "GetLifecycleConfiguration", "GetBucketPolicy",
        "ListBucketMultipartUploads")  # fmt: skip
READ = ("GetObject", "GetObjectVersion", "GetObjectRetention")
WRITE = ("PutObject", "DeleteObject", "DeleteObjectVersion", "PutObjectRetention", "AbortMultipartUpload",
         "ListMultipartUploadParts")  # fmt: skip


def folder(state: Path = STATE) -> Path:
    """Return the folder of the object storage below the lab's state."""
    return state / FOLDER


def client(key: Mapping[str, str], ca: Path) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return an S3 client that uses `key` and trusts `ca`."""
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        verify=str(ca),
        region_name="us-east-1",
        aws_access_key_id=key["access_key"],
        aws_secret_access_key=key["secret_key"],
        config=Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 2},
            read_timeout=20,
            request_checksum_calculation="when_required",  # the gateway does not support checksum trailers
            response_checksum_validation="when_required",
        ),
    )


def before(context: Context) -> None:
    """Start the storage; create users and buckets with lock, policy and life cycle."""
    place = folder(context.state)
    place.mkdir(mode=0o700, exist_ok=True)
    store = Store(place)
    store.start(context.authority)
    s3 = client(store.user(OPERATOR, buckets=100), place / "ca.crt")
    for name in (READER, *(writer for _, writer in PLACES.values())):
        store.user(name)
    existing = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for purpose, (bucket, _) in PLACES.items():
        if bucket not in existing:
            s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        guard(s3, purpose)


def guard(s3: Any, purpose: str) -> None:  # noqa: ANN401 - as above
    """Set lock, policy and life cycle of the bucket for `purpose`; idempotent."""
    bucket, writer = PLACES[purpose]
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": LOCK_DAYS}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket, writer)))
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [_kept(purpose)]})


def _kept(purpose: str) -> dict[str, Any]:
    ended, removed = LIFE[purpose]
    rule = {"ID": "kept", "Status": "Enabled", "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": removed}}  # fmt: skip
    return rule | ({"Expiration": {"Days": ended}} if ended is not None else {})


def policy(bucket: str, writer: str) -> dict[str, Any]:
    """Return the bucket policy: the reader reads, the writer also writes, nobody else has access.

    The operator owns the bucket and may do anything with objects: whatever it is refused, the lock refuses.
    """
    readers = [_user(READER), _user(writer)]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow(readers, LOOK, f"arn:aws:s3:::{bucket}"),
            _allow(readers, READ, f"arn:aws:s3:::{bucket}/*"),
            _allow([_user(writer)], WRITE, f"arn:aws:s3:::{bucket}/*"),
            _allow([_user(OPERATOR)], ("*",), f"arn:aws:s3:::{bucket}/*"),
        ],
    }


def _user(name: str) -> str:
    return f"arn:aws:iam:::user/{name}"


def _allow(who: list[str], verbs: tuple[str, ...], what: str) -> dict[str, Any]:
    actions = [f"s3:{verb}" for verb in verbs]
    return {"Effect": "Allow", "Principal": {"AWS": who}, "Action": actions, "Resource": [what]}


def tables(context: Context) -> Tables:
    """Return the profile's [s3]: endpoint, buckets and key files."""
    place = folder(context.state)
    keys = Store(place).keys
    return {
        "s3": {
            "endpoint": ENDPOINT,
            "ca": str(place / "ca.crt"),
            "buckets": {name_of("StatefulService", purpose): bucket for purpose, bucket in BUCKETS.items()},
            "writer_keys": {
                name_of("StatefulService", purpose): str(keys / f"{user}.json")
                for purpose, user in WRITERS.items()
            },
            "reader_key": str(keys / f"{READER}.json"),
            "operator_key": str(keys / f"{OPERATOR}.json"),
            "also": ["*"],
            "canary_bucket": PLACES["canary"][0],
            "canary_key": str(keys / f"{PLACES['canary'][1]}.json"),
        }
    }


PART = Part(
    name=FOLDER,
    expected=20,
    packages={
        "radosgw": "/usr/bin/radosgw",
        "ceph-mon": "/usr/bin/ceph-mon",
        "ceph-osd": "/usr/bin/ceph-osd",
        "ceph-common": "/usr/bin/radosgw-admin",
    },
    programs=PROGRAMS,
    controls=("SEC-31", "SEC-32", "DR-08"),
    before=before,
    profile=tables,
)
