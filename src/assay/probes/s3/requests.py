"""What a request to the object storage is, in the words of its API: operation, bucket, effect."""

from __future__ import annotations

from collections.abc import Mapping

from assay.effect import Effect
from assay.probes.guard import Guard, Request


LOOKS = ("Get", "Head", "List")


def s3_request(operation: str, parameters: Mapping[str, object], guard: Guard) -> Request:
    """Return what `operation` (`GetObject`, `PutObject`, ...) is; in a bucket of our own a decoy."""
    bucket = str(parameters.get("Bucket", ""))
    effect = Effect.READS if operation.startswith(LOOKS) else guard.place(bucket)
    return Request("s3", operation, bucket or "*", effect)
