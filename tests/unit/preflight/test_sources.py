"""`assay init`: admin ranges from firewall rules, Vault's layout from its folder of policies and roles."""

from __future__ import annotations

import json
from pathlib import Path

from assay.preflight.profile_text import Findings
from assay.preflight.sources import admin_ranges, vault_config


RULE = """resource "hcloud_firewall" "x" {{
  name = "x"
  rule {{
    direction  = "in"
    protocol   = "tcp"
    port       = "{port}"
    source_ips = {sources}
  }}
}}
"""
ROLE = {
    "bound_service_account_names": ["a"], "bound_service_account_namespaces": ["b"], "audience": "c",
    "token_policies": ["plain"], "token_ttl": 600, "token_max_ttl": 600,
}  # fmt: skip


def test_ranges_that_reach_an_admin_port_are_proposed_but_never_the_whole_world(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text(RULE.format(port=6443, sources='["192.0.2.10/32", "0.0.0.0/0"]'))
    (tmp_path / "b.tf").write_text(RULE.replace('"x"', '"y"').format(port=443, sources='["198.51.100.0/24"]'))
    found = Findings()
    found.put("paths.infra", str(tmp_path), "here")
    admin_ranges(found)
    assert found.keys["allowlist.admin"].value == ["192.0.2.10/32"]
    assert found.keys["allowlist.admin"].proposed


def test_policies_that_give_more_are_proposed_as_granted_and_unbound(tmp_path: Path) -> None:
    for folder in ("policies", "roles"):
        (tmp_path / "safe" / folder).mkdir(parents=True)
    rule = 'path "{0}" {{\n  capabilities = [{1}]\n}}\n'
    policies = tmp_path / "safe" / "policies"
    (policies / "plain.hcl").write_text(rule.format("kv/data/app", '"read"'))
    (policies / "idle.hcl").write_text(rule.format("kv/data/other", '"read"'))
    (policies / "looks.hcl").write_text(rule.format("kv/data/*", '"read"'))
    (tmp_path / "safe" / "roles" / "app.json").write_text(json.dumps(ROLE))
    found = Findings()
    vault_config([one for one in tmp_path.rglob("*") if one.is_file()], found)
    assert found.keys["platform.vault.config"].value == str(tmp_path / "safe")
    assert found.keys["platform.vault.granted"].value == ["looks kv/data/*: read"]
    assert found.keys["platform.vault.unbound"].value == ["looks"]
    assert found.keys["platform.vault.granted"].proposed


def test_a_folder_of_policies_without_roles_is_not_vaults(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.hcl").write_text("")
    found = Findings()
    vault_config([tmp_path / "policies" / "a.hcl"], found)
    assert found.keys == {}
