"""SEC-32: buckets without a lock or with one to walk around, versions that are not held, wide keys."""

from collections.abc import Iterator

from assay.backups.places import bucket_of
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


def _written(name: str, what: str, old: str, new: str) -> None:
    """Register a violation that edits the Terraform sources by a pattern; etcd's bucket is named."""

    @violation(name=name, what=what, tier="static")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.substituted("infra", old, new, "*.tf"):
            yield Named(f"Bucket {bucket_of(plant.profile, plant.profile.platform.etcd)}")


def _bucket(name: str, what: str, *, lock: bool, mode: str, days: int = 1) -> None:
    """Register a violation that makes a bucket, which is named."""

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.s3.bucket(name.replace("_", "-"), lock=lock, mode=mode, days=days) as bucket:
            yield Named(f"Bucket {bucket}")


def _wider(name: str, what: str, verbs: list[str], attempt: str) -> None:
    """Register a violation that gives etcd's writer more rights on its bucket; the attempt is named."""

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        bucket = bucket_of(plant.profile, plant.profile.platform.etcd)
        service = plant.profile.platform.etcd.name
        with plant.s3.allowed(bucket, plant.profile.s3.writer_keys[service].stem, verbs):
            yield Named(f"{attempt} in Bucket {bucket} as the {service} writer")


@violation(tier="static")
def two_retentions(plant: Plant) -> Iterator[Named]:
    """A second resource sets another default retention of the same bucket: the later one counts."""
    bucket = bucket_of(plant.profile, plant.profile.platform.etcd)
    lines = f'  bucket = "{bucket}"\n  mode = "GOVERNANCE"\n  unit = "DAYS"\n  validity_period = 1\n'
    with plant.added(
        "infra", "planted.tf", f'resource "minio_s3_bucket_retention" "planted" {{\n{lines}}}\n'
    ):
        yield Named(f"Bucket {bucket}")


@violation(tier="live")
def policy_for_everybody(plant: Plant) -> Iterator[Named]:
    """A bucket policy that lets every key take the default lock away."""
    bucket = bucket_of(plant.profile, plant.profile.platform.etcd)
    with plant.s3.allowed(bucket, "*", ["s3:PutBucketObjectLockConfiguration"]):
        yield Named(f"BucketPolicy {bucket}")


@violation(tier="live")
def older_than_the_lock(plant: Plant) -> Iterator[Named]:
    """An object that was uploaded before its bucket had a default retention."""
    with plant.s3.bucket("late", lock=True) as bucket:
        ref = plant.s3.upload(bucket, "early", b"not held")
        plant.s3.retain(bucket, "GOVERNANCE", 1)
        yield Named(ref)


_written(
    "governance", "The buckets are declared with a lock in governance mode.", '"COMPLIANCE"', '"GOVERNANCE"'
)
_written("a_week", "A bucket is declared with a lock of a week.", r"(\{ locked = )30", r"\g<1>7")
_written(
    "no_lock_declared",
    "The buckets are declared without object lock.",
    r"(object_locking\s+= )true",
    r"\1false",
)
_written(
    "emptied",
    "The buckets are declared to be emptied when they are removed.",
    r"(force_destroy\s+= )false",
    r"\1true",
)
_bucket("no_lock", "A bucket without object lock.", lock=False, mode="")
_bucket("no_default", "A bucket with object lock and no default retention.", lock=True, mode="")
_bucket(
    "bypass",
    "A bucket with a default retention in governance mode, which every key may bypass.",
    lock=True,
    mode="GOVERNANCE",
)
_wider(
    "drops_the_default",
    "The key that writes backups may remove the default retention.",
    ["s3:PutBucketObjectLockConfiguration"],
    "drop default retention",
)
_wider(
    "deletes_the_bucket",
    "The key that writes backups may delete the bucket.",
    ["s3:DeleteBucket"],
    "delete bucket",
)
