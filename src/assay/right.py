"""What a control needs to be allowed, as its policy declares it in the words of the system that allows it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from assay.effect import Effect


GRANTING = ("kubernetes", "vault", "talos", "etcd", "s3", "postgres")
"""The systems that grant rights; the public API has users only."""


@dataclass(frozen=True, slots=True)
class DeclaredRight:
    """Some verbs on some resources of one system; an entry of `[[rights.TIER]]` in a policy.

    Attributes:
        system: one of GRANTING.
        verbs: as the system calls them: `list`, `read`, `GetObject`.
        on: resources, paths, methods or kinds of buckets (`backups`, `canary`); a `*` at the end stands for
            any rest, `{mount}`, `{auth}` and `{database}` for what the profile calls them.
        names: the single objects; empty: all.
        effect: what it is used for. No system can grant a dry run alone.
        place: the one namespace in which it is needed; empty: the whole cluster.
        only: the product or the setting with which alone it is used; empty: it always is.
        tried: it is used to be refused, or with a credential of the platform's own; nothing is granted.
        beside: the system wants it beside what the request itself needs, so no request shows it.
        optional: without it a part is said to be untried, and the control is judged; not granted by itself.
        grant: what is granted, where the request does not tell it: a role, a statement.
        why: why plain reading is not enough.
    """

    system: str
    verbs: tuple[str, ...]
    on: tuple[str, ...]
    names: tuple[str, ...] = ()
    effect: Effect = Effect.READS
    place: str = ""
    only: str = ""
    tried: bool = False
    beside: bool = False
    optional: bool = False
    grant: str = ""
    why: str = ""

    def covers(self, verb: str, resource: str, effect: str) -> bool:
        """Return whether a request that was sent is one of these."""
        return effect == self.effect and verb in self.verbs and any(matches(one, resource) for one in self.on)


def matches(pattern: str, resource: str) -> bool:
    """Return whether a resource is meant by a pattern, in which only a `*` at the end is special."""
    return fnmatchcase(resource, pattern) if pattern.endswith("*") else resource == pattern
