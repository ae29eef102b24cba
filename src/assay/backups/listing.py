"""Which versions of a bucket a control judges, told while a long listing is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from assay.model import Record
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion
from assay.probes.s3.sample import count_versions, sample


def judged_versions(
    s3: S3,
    bucket: str,
    control: Record,
    counts: Callable[[ObjectVersion], bool],
    watch: Callable[[Iterable[ObjectVersion]], Iterable[ObjectVersion]] = iter,
) -> tuple[ObjectVersion, ...]:
    """Return the versions of a bucket that are judged, newest first: all, or the newest and a random sample.

    How many there are, how many are judged and what that says of the others stands in the evidence.

    Args:
        s3: the object storage.
        bucket: its name.
        control: the record; its limits `newest` and `drawn` say how many are judged.
        counts: whether a version is one of those that the control is about.
        watch: sees every version of the listing as it passes.

    Raises:
        PopulationError: there is none.
        ProbeError: the listing cannot be read to its end.
    """
    listed = count_versions(s3.each_version(bucket), control.progress, f"Bucket {bucket}")
    newest, drawn = int(control.limit("newest")), int(control.limit("drawn"))
    seen = sample((one for one in watch(listed) if counts(one)), newest, drawn)
    control.note(f"Bucket {bucket}", seen)
    control.sample(seen.judged, of=seen.listed)
    return seen.judged
