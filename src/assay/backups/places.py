"""Where the backups of a service lie, and what opens them, as the profile says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assay.config.platform import Service
from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion


def bucket_of(profile: Profile, service: Service) -> str:
    """Return the bucket of a service's backups.

    Raises:
        ProbeError: the profile names none.
    """
    bucket = service.bucket or profile.s3.buckets.get(service.name, "")
    if not bucket:
        raise ProbeError(
            f"the profile names no bucket for {service.name}",
            f"set {service.name} in buckets under [s3], or bucket under [[platform.services]]",
        )
    return bucket


def key_of(profile: Profile, service: Service) -> Path:
    """Return the file of the escrow kit that opens a service's backups.

    Raises:
        ProbeError: the profile names none, or the kit does not hold it.
    """
    if not service.key:
        raise ProbeError(
            f"the profile does not say which escrowed key opens the backups of {service.name}",
            f"set key of {service.name} under [[platform.services]]: a file of the escrow kit",
        )
    path = profile.need_path("escrow.folder") / service.key
    if not path.is_file():
        raise ProbeError(f"the escrow kit holds no {service.key}", "no backup opens without it: find it")
    return path


def shown_in(s3: S3, profile: Profile, service: Service) -> Iterator[ObjectVersion]:
    """Yield the objects that a plain listing of a service's backups shows, one page held at a time.

    Raises:
        ProbeError: no bucket is declared, or it cannot be listed to its end.
    """
    for one in s3.each_version(bucket_of(profile, service), service.prefix):
        if one.shown:
            yield one
