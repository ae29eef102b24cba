"""Vault's policies and roles in Terraform plans: what they say, and what a plan does not know yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.config.paths import Paths
from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.state import TerraformState
from assay.probes.terraform.vault import VaultInTerraform
from assay.stack import ReadStack


Declared = tuple[str, dict[str, object]]
ROLE: dict[str, object] = {
    "role_name": "api", "backend": "k8s", "bound_service_account_names": ["api"],
    "bound_service_account_namespaces": ["shop"], "audience": "vault", "token_policies": ["api"],
    "token_ttl": 900, "token_max_ttl": 900, "token_period": None, "token_type": "default",
}  # fmt: skip
POLICY: dict[str, object] = {
    "name": "api",
    "policy": 'path "kv/data/api" {\n  capabilities = ["read"]\n}\n',
}


def plan(folder: Path, *resources: Declared, unknown: tuple[str, ...] = ()) -> TerraformPlan:
    planned = [{"address": f"{kind}.r{n}", "mode": "managed", "type": kind, "name": f"r{n}",
                "values": {key: value for key, value in values.items() if key not in unknown}}
               for n, (kind, values) in enumerate(resources)]  # fmt: skip
    changes = [{"address": one["address"], "change": {"after_unknown": dict.fromkeys(unknown, True)}}
               for one in planned]  # fmt: skip
    document = {"format_version": "1.2", "planned_values": {"root_module": {"resources": planned}},
                "resource_changes": changes}  # fmt: skip
    (folder / "plan.json").write_text(json.dumps(document))
    return TerraformPlan(folder / "plan.json")


def declared(folder: Path, *resources: Declared, unknown: tuple[str, ...] = ()) -> VaultInTerraform:
    return VaultInTerraform([plan(folder, *resources, unknown=unknown)], "k8s")


BOTH = (("vault_policy", POLICY), ("vault_kubernetes_auth_backend_role", ROLE))


def test_what_a_plan_declares_is_read_as_vaults_own_files_are(tmp_path: Path) -> None:
    found = declared(tmp_path, *BOTH)
    (role,), (policy,) = found.roles(), found.policies()
    assert role.open_ends() == []
    assert (role.name, role.accounts, role.namespaces) == ("api", ("api",), ("shop",))
    assert (role.audience, role.ttl) == ("vault", 900)
    assert [str(rule) for rule in policy.rules] == ["kv/data/api: read"]


@pytest.mark.parametrize(("changed", "says"), [
    ({"bound_service_account_names": ["*"]}, "service accounts: *"), ({"audience": None}, "no audience"),
    ({"token_period": 3600}, "a periodic token never ends"), ({"token_policies": ["root"]}, "policy root"),
])  # fmt: skip
def test_a_role_that_is_too_wide_is_seen(tmp_path: Path, changed: dict[str, object], says: str) -> None:
    (role,) = declared(tmp_path, BOTH[0], (BOTH[1][0], {**ROLE, **changed})).roles()
    assert says in role.open_ends()


def test_a_role_of_another_mount_is_told_apart(tmp_path: Path) -> None:
    other = {**ROLE, "backend": "elsewhere/"}
    found = declared(tmp_path, *BOTH, (BOTH[1][0], other))
    assert [one.ref for one in found.roles()] == ["VaultRole k8s/api", "VaultRole elsewhere/api"]


def test_a_state_is_read_as_a_plan_is(tmp_path: Path) -> None:
    made = [{"mode": "managed", "type": kind, "name": "r", "instances": [{"attributes": values}]}
            for kind, values in BOTH]  # fmt: skip
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"version": 4, "resources": made}))
    found = VaultInTerraform([TerraformState(file)], "k8s")
    assert [role.ref for role in found.roles()] == ["VaultRole k8s/api"]
    assert [one.name for one in found.policies()] == ["api"]


@pytest.mark.parametrize(
    "key", ["bound_service_account_names", "audience", "token_ttl", "role_name", "policy"]
)
def test_what_is_known_after_apply_only_is_not_judged(tmp_path: Path, key: str) -> None:
    found = declared(tmp_path, *BOTH, unknown=(key,))
    with pytest.raises(ProbeError, match=f"its {key} is not known in the plan"):
        (found.policies(), found.roles())


def test_a_new_mounts_path_is_known_later_and_its_roles_are_ours(tmp_path: Path) -> None:
    assert [one.name for one in declared(tmp_path, *BOTH, unknown=("backend",)).roles()] == ["api"]


def test_the_stack_takes_every_source_and_says_how_to_give_one(tmp_path: Path) -> None:
    path = plan(tmp_path, *BOTH).path
    profile = Profile(Path("p.toml"), "p", "production", paths=Paths(plan=(path,)))
    assert [role.ref for role in ReadStack(profile).vault_files.roles()] == ["VaultRole k8s/api"]
    plan(tmp_path, ("random_pet", {}))
    with pytest.raises(ProbeError, match="declare no Kubernetes roles") as raised:
        ReadStack(profile).vault_files.roles()
    assert "set config in [platform.vault]" in raised.value.remedy
