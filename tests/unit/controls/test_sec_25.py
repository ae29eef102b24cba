"""SEC-25 on Vaults that are not the lab's: several auth methods, paths of others, several sources."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assay.config.platform import Platform, VaultLayout
from assay.errors import ProbeError
from assay.model import Override, Record, Tier, Verdict
from assay.probes.vault.policy import VaultPolicy, VaultRole, policy, vault_role
from tests.unit.support.judging import judged


LIFE = Override(numbers={"login_life": 3600.0})


def role(name: str, space: str, mount: str = "kubernetes", **more: Any) -> VaultRole:  # noqa: ANN401
    said = {
        "bound_service_account_names": [name], "bound_service_account_namespaces": [space],
        "audience": "vault", "token_policies": [name], "token_ttl": 900, "token_max_ttl": 900,
    }  # fmt: skip
    return vault_role(name, {**said, **more}, mount)


def reads(name: str, *paths: str) -> VaultPolicy:
    return policy(name, "\n".join(f'path "{path}" {{ capabilities = ["read"] }}' for path in paths))


ROLES = [role("web", "shop"), role("ledger", "databases")]
POLICIES = [reads("web", "kv/data/shop/web"), reads("ledger", "kv/data/sql/admin", "auth/token/lookup-self")]


def static(
    roles: list[VaultRole], policies: list[VaultPolicy], granted: tuple[str, ...] = ()
) -> tuple[Verdict, str, Record]:
    files = SimpleNamespace(roles=lambda: roles, policies=lambda: policies)
    platform = Platform(vault=VaultLayout(granted=granted))
    return judged("SEC-25", Tier.STATIC, SimpleNamespace(vault_files=files, platform=platform), LIFE)


def test_roles_with_paths_of_their_own_pass_whatever_they_are_called() -> None:
    assert static(ROLES, POLICIES)[0] is Verdict.PASS


@pytest.mark.parametrize("path", ["kv/data/sql/admin", "kv/data/databases/app", "sys/storage/raft/snapshot"])
def test_a_path_of_another_role_or_of_vault_itself_is_not_its_own(path: str) -> None:
    wide = [reads("web", "kv/data/shop/web", path), POLICIES[1]]
    found, said, _ = static(ROLES, wide)
    assert found is Verdict.FAIL
    assert f"VaultRole kubernetes/web: reads {path}" in said
    assert static(ROLES, wide, (f"web {path}: read",))[0] is Verdict.PASS


def live(mounts: dict[str, list[VaultRole] | None], declared: list[VaultRole]) -> tuple[Verdict, str, Record]:
    """Judge a Vault with these auth methods; None: their roles may not be listed."""

    def roles(mount: str) -> list[VaultRole]:
        found = mounts[mount]
        if found is None:
            raise ProbeError(f"auth/{mount}/role: the token has no right to it", "give it the policy")
        return found

    vault = SimpleNamespace(
        auth_methods=lambda: {"token/": "token", **{f"{mount}/": "kubernetes" for mount in mounts}},
        roles=roles,
        policies=lambda: POLICIES,
    )
    accounts = [{"metadata": {"namespace": one.namespaces[0], "name": one.accounts[0]}} for one in declared]
    stack = SimpleNamespace(
        vault=vault,
        vault_files=SimpleNamespace(roles=lambda: declared, policies=lambda: POLICIES),
        platform=Platform(),
        kube=SimpleNamespace(objects=lambda _: accounts),
        if_allowed=lambda *_: None,
    )
    return judged("SEC-25", Tier.LIVE, stack, LIFE)


def test_every_auth_method_that_is_declared_passes() -> None:
    edge = role("edge", "shop", "edge", token_policies=["web"])
    assert live({"kubernetes": ROLES, "edge": [edge]}, [*ROLES, edge])[0] is Verdict.PASS


def test_a_second_method_that_admits_anybody_is_seen() -> None:
    anybody = role("any", "*", "legacy", bound_service_account_names=["*"])
    found, said, _ = live({"kubernetes": ROLES, "legacy": [anybody]}, ROLES)
    assert found is Verdict.FAIL
    assert "VaultAuth legacy" in said
    assert "VaultRole legacy/any: service accounts: *" in said


def test_a_second_method_whose_roles_may_not_be_read_is_an_offender_too() -> None:
    found, said, _ = live({"kubernetes": ROLES, "legacy": None}, ROLES)
    assert found is Verdict.FAIL
    assert "no right" in said


def test_the_same_name_at_two_methods_is_two_roles() -> None:
    moved = [role("web", "shop", "edge"), ROLES[1]]
    found, said, _ = live({"kubernetes": ROLES}, moved)
    assert found is Verdict.FAIL
    assert "VaultRole kubernetes/web: is in Vault but not in Git" in said
