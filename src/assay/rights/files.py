"""All files of rights for one selection, by their names."""

from __future__ import annotations

from collections.abc import Sequence

from assay.config.profile import Profile
from assay.rights.kubernetes import AccountName, rbac
from assay.rights.needed import NeededRight
from assay.rights.others import (
    bucket_policies,
    etcd_note,
    of_system,
    sql_grants,
    talos_roles,
    vault_policy,
)


def rights_files(
    needed: Sequence[NeededRight], profile: Profile, account: AccountName, principal: str
) -> dict[str, str]:
    """Return file name -> text: `kubernetes.yaml`, `vault.hcl`, `talos.txt`, `s3-BUCKET.json`, and so on.

    A system that nothing is needed of has no file.
    """
    made = {
        "kubernetes.yaml": rbac(needed, account) if of_system(needed, "kubernetes") else "",
        "vault.hcl": vault_policy(needed),
        "talos.txt": talos_roles(needed),
        "postgres.sql": sql_grants(needed, profile),
        "etcd.txt": etcd_note(needed),
    }
    policies = bucket_policies(needed, profile, principal)
    made |= {f"s3-{bucket}.json": text for bucket, text in sorted(policies.items())}
    return {name: text for name, text in made.items() if text}
