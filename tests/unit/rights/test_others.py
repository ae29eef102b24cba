"""Rights in the words of Vault, Talos, object storage, PostgreSQL and etcd."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import hcl2

from assay.config.profile import Profile, S3Access, SqlAccess
from assay.config.transactions import Transaction
from assay.model import Tier
from assay.right import DeclaredRight
from assay.rights.needed import NeededRight
from assay.rights.others import bucket_policies, etcd_note, sql_grants, talos_roles, vault_policy


PROFILE = Profile(name="toy", kind="staging", file=Path("toy.toml"))


def needed(control: str, *rights: DeclaredRight) -> list[NeededRight]:
    return [NeededRight(control, Tier.LIVE, one) for one in rights]


def test_vault_gets_one_path_each_with_all_its_capabilities() -> None:
    audit = DeclaredRight("vault", ("read",), ("sys/audit",), grant="sudo")
    text = vault_policy(
        [*needed("SEC-24", audit), *needed("AUD-01", DeclaredRight("vault", ("list",), ("sys/audit",)))]
    )
    assert 'path "sys/audit" {\n  capabilities = ["list", "read", "sudo"]\n}' in text
    assert text.startswith("# AUD-01, SEC-24")
    assert hcl2.loads(text)


def test_talos_roles_come_smallest_first_with_what_needs_them() -> None:
    small = DeclaredRight("talos", ("version",), ("machine.MachineService/Version",), grant="os:reader")
    great = DeclaredRight(
        "talos", ("read",), ("machine.MachineService/Read",), grant="os:admin", why="a file"
    )
    lines = talos_roles([*needed("NODE-03", great), *needed("NODE-01", small)]).splitlines()
    assert [line.split()[4] for line in lines if line.startswith("talosctl")] == ["os:reader", "os:admin"]
    assert lines[-1] == "# NODE-03 live: machine.MachineService/Read; a file"


def test_buckets_for_backups_get_a_policy_and_others_none() -> None:
    s3 = S3Access(buckets={"etcd": "snapshots"}, canary_bucket="canaries")
    rights = needed(
        "SEC-31",
        DeclaredRight("s3", ("ListBuckets",), ("*",)),
        DeclaredRight("s3", ("GetObject", "ListObjectVersions"), ("backups",)),
    )
    made = bucket_policies(rights, replace(PROFILE, s3=s3), "arn:aws:iam:::user/reader")
    assert list(made) == ["snapshots"]
    bucket, objects = json.loads(made["snapshots"])["Statement"]
    assert (bucket["Action"], bucket["Resource"]) == (["s3:ListBucketVersions"], ["arn:aws:s3:::snapshots"])
    assert objects["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]
    assert objects["Sid"] == "ObjectsForSEC31"
    assert objects["Principal"] == {"AWS": ["arn:aws:iam:::user/reader"]}


def test_sql_names_the_tables_that_transactions_read() -> None:
    order = Transaction(
        name="order", path="/orders", find="SELECT id FROM sales.orders WHERE mark = %(mark)s"
    )
    profile = replace(PROFILE, sql=SqlAccess(dbname="my-shop", user="Auditor"), transactions=(order,))
    rights = [
        *needed("DEP-13", DeclaredRight("postgres", ("select",), ("x",), grant="SELECT ON {table}")),
        *needed(
            "ACC-10",
            DeclaredRight("postgres", ("select",), ("x",), grant="CONNECT ON DATABASE {database}", why="lag"),
        ),
    ]
    lines = sql_grants(rights, profile).splitlines()
    assert lines[0].startswith('GRANT SELECT ON sales.orders TO "Auditor";  -- DEP-13')
    assert lines[1] == 'GRANT CONNECT ON DATABASE "my-shop" TO "Auditor";  -- ACC-10: lag'


def test_etcd_is_named_only_where_something_asks_it() -> None:
    assert etcd_note([]) == ""
    assert "ARCH-01 live" in etcd_note(needed("ARCH-01", DeclaredRight("etcd", ("POST",), ("/v3",))))
