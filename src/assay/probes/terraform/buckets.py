"""Buckets in Terraform sources, of every provider: lock, versioning, default retention, life cycle.

Known kinds: `aws_s3_bucket*` and `minio_s3_bucket*` (the provider that Hetzner's object storage is run with).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.formats.parsing import parsing
from assay.formats.resource import Resource, Unresolved, Value
from assay.probes.s3.facts import Expiry, Lock


KINDS = ("aws_s3_bucket", "minio_s3_bucket")
RETENTION = ("aws_s3_bucket_object_lock_configuration", "minio_s3_bucket_object_lock_configuration",
             "minio_s3_bucket_retention")  # fmt: skip
LOCKS_LATER = "aws_s3_bucket_object_lock_configuration"
VERSIONING = ("aws_s3_bucket_versioning", "minio_s3_bucket_versioning")
LIFE = ("aws_s3_bucket_lifecycle_configuration", "minio_ilm_policy")
DAYS_PER_YEAR = 365


@dataclass(frozen=True, slots=True)
class DeclaredBucket:
    """A bucket as the sources declare it.

    `rules` are those of its life cycle; `undecided` says that a value cannot be computed from the files;
    `retentions` are the resources that set its default retention: of several each overwrites the others.
    """

    ref: str
    where: str
    bucket: str
    lock: Lock
    destroyable: bool = False
    rules: tuple[Expiry, ...] = ()
    undecided: bool = False
    retentions: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Return `Bucket name`, or the resource's name where the bucket's is not known."""
        return f"Bucket {self.bucket}" if self.bucket else self.ref

    def backs_up(self, suffix: str) -> bool:
        """Return whether the bucket's name, or where that is not known the resource's, ends in `suffix`."""
        return (self.bucket or self.ref.split(".")[-1].replace("_", "-")).endswith(suffix)

    def fault(self, least: float) -> str:
        """Return what is wrong with the declaration, with file and line; empty if nothing is."""
        if len(self.retentions) > 1:
            return f"{self.where}: {', '.join(self.retentions)} overwrite each other's retention"
        if self.undecided:
            return ""
        why = "is emptied when Terraform removes it" if self.destroyable else self.lock.fault(least)
        return f"{self.where}: {why}" if why else ""


@parsing("a bucket of the sources or the plan", "run terraform validate")
def declared_buckets(resources: Iterable[Resource]) -> list[DeclaredBucket]:
    """Return every bucket with what the resources about it say."""
    every = list(resources)
    return [_bucket(one, every) for one in every if one.type in KINDS]


def _bucket(one: Resource, every: list[Resource]) -> DeclaredBucket:
    name = _text(one.attributes.get("bucket"))
    about = [other for other in every if _about(other, one, name)]
    default = _default(about)
    versioning = _versioning(about)
    flag = one.attributes.get("object_lock_enabled", one.attributes.get("object_locking", False))
    days = default.get("days")
    retentions = tuple(sorted(other.ref for other in about if other.type in RETENTION))
    # AWS locks a bucket that is there and versioned by this resource alone.
    later = versioning == "Enabled" and any(other.type == LOCKS_LATER for other in about)
    undecided = one.unresolved is not None or any(
        isinstance(value, Unresolved) for value in (flag, versioning, *default.values())
    )
    lock = Lock(
        bucket=name,
        enabled=flag is True or later,
        # A locked bucket is versioned from its making, whether or not another resource says so.
        versioning=str(versioning or ("Enabled" if flag is True else "")),
        mode=str(default.get("mode", "")),
        days=days if isinstance(days, int) else None,
    )
    rules = tuple(_rule(rule) for other in about if other.type in LIFE for rule in _blocks(other))
    destroyable = one.attributes.get("force_destroy", False) is not False
    return DeclaredBucket(one.ref, one.where, name, lock, destroyable, rules, undecided, retentions)


def _about(other: Resource, one: Resource, name: str) -> bool:
    if other.type not in (*RETENTION, *VERSIONING, *LIFE):
        return False
    target = other.attributes.get("bucket")
    if isinstance(target, Unresolved):
        meant = re.search(rf"\b{re.escape(one.ref)}(\W|$)", target.expression) is not None
        return meant and other.key == one.key
    return bool(name) and target == name


def _default(about: list[Resource]) -> dict[str, Value]:
    for other in about:
        if other.type == "minio_s3_bucket_retention":
            years = other.attributes.get("unit") == "YEARS"
            period = _number(other.attributes.get("validity_period"))
            days = period * DAYS_PER_YEAR if years and isinstance(period, int) else period
            return {"mode": other.attributes.get("mode", ""), "days": days}
        if other.type in RETENTION:
            found = _block(_block(other.attributes, "rule"), "default_retention")
            years_ = _number(found.get("years"))
            days_ = years_ * DAYS_PER_YEAR if isinstance(years_, int) else _number(found.get("days"))
            return {"mode": found.get("mode", ""), "days": days_}
    return {}


def _versioning(about: list[Resource]) -> Value:
    for other in about:
        if other.type in VERSIONING:
            return _block(other.attributes, "versioning_configuration").get("status", "")
    return ""


def _blocks(other: Resource) -> list[Mapping[str, Any]]:
    found = other.attributes.get("rule")
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping)]


def _rule(rule: Mapping[str, Any]) -> Expiry:
    later = _block(rule, "noncurrent_expiration") or _block(rule, "noncurrent_version_expiration")
    ended = _block(rule, "expiration") or {"days": rule.get("expiration")}
    place = rule.get("filter")
    some = [place] if isinstance(place, str) else list(_block(rule, "filter").values())
    some += [rule.get(name) for name in ("prefix", "tags")]
    some += [later.get(name) for name in ("newer_versions", "newer_noncurrent_versions")]
    return Expiry(
        name=_text(rule.get("id")),
        enabled=rule.get("status", "Enabled") == "Enabled",
        whole=not any(some),
        current=_days(ended.get("date") or ended.get("days")),
        noncurrent=_days(later.get("days", later.get("noncurrent_days"))),
    )


def _days(value: Value) -> int | None:
    """Return a number of days written as 30, "30" or "30d"; 0 for a day of the calendar."""
    found = re.fullmatch(r"(\d+)d?", str(value))
    return int(found.group(1)) if found else 0 if re.match(r"\d{4}-", str(value)) else None


def _number(value: Value) -> Value:
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _block(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    first = found[0] if isinstance(found, list) and found else found
    return first if isinstance(first, Mapping) else {}


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""
