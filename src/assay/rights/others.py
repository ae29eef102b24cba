"""Rights as Vault's policy, Talos' role, buckets' policies and SQL grant them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from assay.config.profile import Profile
from assay.rights.needed import NeededRight


# Operation of the API -> actions of a bucket policy, on the bucket and on its objects.
ON_BUCKET = {
    "ListObjectVersions": ("s3:ListBucketVersions",),
    "ListObjectsV2": ("s3:ListBucket",),
    "ListBuckets": (),
    "GetBucketVersioning": ("s3:GetBucketVersioning",),
    "GetBucketPolicy": ("s3:GetBucketPolicy",),
    "GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
}
ON_OBJECTS = {
    "GetObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "HeadObject": ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"),
}
TALOS_ROLES = ("os:reader", "os:etcd:backup", "os:operator", "os:admin")
TABLE = re.compile(r"\bFROM\s+([\w.\"]+)", re.IGNORECASE)


def of_system(needed: Iterable[NeededRight], system: str) -> list[NeededRight]:
    """Return the rights that one system grants."""
    return [one for one in needed if one.right.system == system]


def vault_policy(needed: Iterable[NeededRight]) -> str:
    """Return the policy, HCL: a path each, with the controls that need it; empty where none does."""
    paths: dict[str, dict[str, set[str]]] = {}
    reasons: dict[str, list[str]] = {}
    for one in of_system(needed, "vault"):
        for path in one.right.on:
            known = paths.setdefault(path, {})
            for verb in (*one.right.verbs, *filter(None, (one.right.grant,))):
                known.setdefault(verb, set()).add(one.control)
            if one.right.why and one.right.why not in reasons.setdefault(path, []):
                reasons[path].append(one.right.why)
    return "\n".join(
        f"# {', '.join(sorted(set().union(*known.values())))}"
        + (f": {'; '.join(reasons[path])}" if reasons.get(path) else "")
        + f'\npath "{path}" {{\n  capabilities = {json.dumps(sorted(known))}\n}}\n'
        for path, known in sorted(paths.items())
    )


def talos_roles(needed: Iterable[NeededRight]) -> str:
    """Return how the talosconfig of each role is made and what needs it, the smallest role first."""
    lines: list[str] = []
    by_role: dict[str, list[NeededRight]] = {role: [] for role in TALOS_ROLES}
    for one in of_system(needed, "talos"):
        by_role[one.right.grant or TALOS_ROLES[0]].append(one)
    for role, rights in by_role.items():
        if rights:
            file = "reader_config" if role == TALOS_ROLES[0] else "config"
            life = "720h" if role == TALOS_ROLES[0] else "8h"
            lines += [f"talosctl config new --roles {role} --crt-ttl {life} FILE  # {file} under [talos]"]
            lines += [f"# {asker}: {what}" for asker, what in _by_asker(rights)]
    return "".join(f"{line}\n" for line in lines)


def _by_asker(rights: Sequence[NeededRight]) -> Iterator[tuple[str, str]]:
    for asker in dict.fromkeys(one.asker for one in rights):
        own = [one.right for one in rights if one.asker == asker]
        calls = dict.fromkeys(what for right in own for what in right.on)
        reasons = dict.fromkeys(right.why for right in own if right.why)
        yield asker, "; ".join([", ".join(calls), *reasons])


def bucket_policies(needed: Iterable[NeededRight], profile: Profile, principal: str) -> dict[str, str]:
    """Return bucket -> its policy for the reader, JSON; what it grants already must be kept beside it.

    Args:
        needed: the rights.
        profile: which buckets there are, and of which kind.
        principal: the reader, as the object store writes it, `arn:aws:iam:::user/reader`.
    """
    kinds = {
        "backups": sorted(set(profile.s3.buckets.values())),
        "canary": [profile.s3.canary_bucket] if profile.s3.canary_bucket else [],
    }
    rights = of_system(needed, "s3")
    found = {}
    for kind, buckets in kinds.items():
        of_kind = [one for one in rights if {kind, "*"} & set(one.right.on)]
        for bucket in buckets if of_kind else ():
            arn = f"arn:aws:s3:::{bucket}"
            parts = (("Bucket", ON_BUCKET, arn), ("Objects", ON_OBJECTS, f"{arn}/*"))
            statements = [
                _statement(of_kind, title, actions, resource, principal) for title, actions, resource in parts
            ]
            whole = {"Version": "2012-10-17", "Statement": [one for one in statements if one["Action"]]}
            if whole["Statement"]:
                found[bucket] = json.dumps(whole, indent=2) + "\n"
    return found


def _statement(
    rights: Sequence[NeededRight],
    title: str,
    known: Mapping[str, tuple[str, ...]],
    resource: str,
    principal: str,
) -> dict[str, object]:
    """Return one statement; its Sid names the controls, since JSON has no comments."""
    used = [one for one in rights if set(one.right.verbs) & known.keys()]
    actions = {action for one in used for verb in one.right.verbs for action in known.get(verb, ())}
    controls = "".join(sorted({one.control.replace("-", "") for one in used}))
    return {
        "Sid": f"{title}For{controls}",
        "Effect": "Allow",
        "Principal": {"AWS": [principal]},
        "Action": sorted(actions),
        "Resource": [resource],
    }


def sql_grants(needed: Iterable[NeededRight], profile: Profile) -> str:
    """Return the statements for the account of `[sql]`; the tables are those that `[[transactions]]` read."""
    account, lines = _quoted(profile.sql.user or "assay"), list[str]()
    for one in of_system(needed, "postgres"):
        for grant in _grants(one.right.grant, profile):
            if f"GRANT {grant} TO {account};" not in [line.partition("  --")[0] for line in lines]:
                lines.append(f"GRANT {grant} TO {account};  -- {one.control}: {one.right.why or 'reads'}")
    if lines:
        lines.append(f"ALTER ROLE {account} SET default_transaction_read_only = on;")
    return "".join(f"{line}\n" for line in lines)


def _grants(grant: str, profile: Profile) -> list[str]:
    if "{table}" in grant:
        tables = dict.fromkeys(table for one in profile.transactions for table in TABLE.findall(one.find))
        return [grant.replace("{table}", table) for table in tables]
    return [grant.replace("{database}", _quoted(profile.sql.dbname or "app"))]


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def etcd_note(needed: Iterable[NeededRight]) -> str:
    """Return what etcd asks for: it knows no roles here, so a client certificate opens everything."""
    askers = dict.fromkeys(one.asker for one in of_system(needed, "etcd"))
    if not askers:
        return ""
    return (
        f"# {', '.join(askers)}\n"
        "# A client certificate of etcd's CA; it opens everything in the cluster. Without one, leave [etcd]\n"
        "# out: etcd is then asked through Talos alone.\n"
    )
