"""What the sources themselves declare: who may reach the admin ports, what Vault's policies give."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from assay.config.trees import source_trees
from assay.formats.resource import Unresolved
from assay.preflight.profile_text import Findings
from assay.probes.terraform.hetzner import rules
from assay.probes.terraform.sources import TerraformSources
from assay.probes.vault.policy import VaultFiles


READS = {"read", "deny"}
SYSTEM = ("sys/", "auth/", "identity/")  # Vault's own paths: reading one is not reading a value
EVERYBODY = {"0.0.0.0/0", "::/0"}


def terraform(found: Findings) -> TerraformSources | None:
    """Return the Terraform sources that were found; None where there are none."""
    if (infra := found.keys.get("paths.infra")) is None:
        return None
    roots = [infra.value] if isinstance(infra.value, str) else [str(one) for one in infra.value]  # type: ignore[union-attr]
    return TerraformSources(source_trees([Path(root) for root in roots]))


def admin_ranges(found: Findings) -> None:
    """Propose the address ranges that firewall rules let in at the admin ports; the whole world is none.

    Raises:
        ProbeError: the Terraform sources cannot be read.
    """
    if (sources := terraform(found)) is None:
        return
    ranges: dict[str, None] = {}
    for rule in rules(sources.resources()):
        if rule.inbound() and rule.reaches() and not isinstance(rule.sources, Unresolved):
            ranges |= dict.fromkeys(
                one for one in rule.sources if isinstance(one, str) and one not in EVERYBODY
            )
    where = "firewall rules that open the admin ports"
    found.put("allowlist.admin", list(ranges), where, proposed=True)


def vault_config(files: Iterable[Path], found: Findings) -> None:
    """Note the folder that declares Vault's policies and roles; propose what is more than reading one path.

    Raises:
        ProbeError: one of them cannot be read.
    """
    policies = {
        path.parent.parent for path in files if path.parent.name == "policies" and path.suffix == ".hcl"
    }
    folders = [folder for folder in sorted(policies) if list((folder / "roles").glob("*.json"))]
    if len(folders) != 1:
        return
    found.put("platform.vault.config", str(folders[0]), "its folders policies and roles")
    declared = VaultFiles(folders[0])
    carried = {name for role in declared.roles() for name in role.policies}
    known = declared.policies()
    beyond = [
        f"{one.name} {rule}"
        for one in known
        for rule in one.rules
        if rule.grants and (rule.wild or set(rule.capabilities) - READS or rule.path.startswith(SYSTEM))
    ]
    found.put(
        "platform.vault.granted", beyond, "policies that give more than reading one path", proposed=True
    )
    unbound = [one.name for one in known if one.name not in carried and _strong(one.name, beyond)]
    found.put("platform.vault.unbound", unbound, "strong policies that no role carries", proposed=True)


def _strong(name: str, beyond: Iterable[str]) -> bool:
    return any(one.startswith(f"{name} ") for one in beyond)
