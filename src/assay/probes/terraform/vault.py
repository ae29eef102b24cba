"""Vault's policies and Kubernetes roles as Terraform declares them, by the provider hashicorp/vault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assay.errors import ProbeError
from assay.formats.resource import Resource, Unresolved
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.state import TerraformState
from assay.probes.vault.policy import VaultPolicy, VaultRole, policy, vault_role


POLICY, ROLE = "vault_policy", "vault_kubernetes_auth_backend_role"
APPLY = "apply it, or make the plan with what it depends on in place"


class VaultInTerraform:
    """What plans or states declare for Vault; the same questions as to files of Vault's own configuration."""

    def __init__(self, files: Sequence[TerraformPlan | TerraformState], mount: str) -> None:
        """Read `files`; `mount` is that of a role whose auth method has no path yet."""
        self._files, self._mount = files, mount

    def policies(self) -> list[VaultPolicy]:
        """Return the declared policies, none where there is none.

        Raises:
            ProbeError: a file cannot be read, or one is known after apply only.
        """
        return [policy(_text(one, "name"), _text(one, "policy")) for one in self._of(POLICY)]

    def roles(self) -> list[VaultRole]:
        """Return the declared roles of every mount; errors as for `policies`."""
        return [
            vault_role(_text(one, "role_name"), _known(one), _backend(one) or self._mount)
            for one in self._of(ROLE)
        ]

    def _of(self, kind: str) -> Iterator[Resource]:
        return (one for file in self._files for one in file.resources if one.type == kind)


def _backend(one: Resource) -> str:
    """Return the mount of a role; empty where it is known after apply only, as that of a new mount."""
    value = one.attributes.get("backend", "kubernetes")
    return "" if isinstance(value, Unresolved) else str(value).strip("/")


def _text(one: Resource, key: str) -> str:
    value = one.attributes.get(key)
    if not isinstance(value, str):
        raise ProbeError(f"{one.ref}: its {key} is not known in the plan", APPLY)
    return value


def _known(one: Resource) -> Mapping[str, object]:
    """Return the attributes of a role, every one that decides who is let in known.

    Raises:
        ProbeError: one is known after apply only.
    """
    decides = {key: value for key, value in one.attributes.items() if key.startswith(("bound_", "token_"))}
    decides["audience"] = one.attributes.get("audience")
    for key, value in decides.items():
        if isinstance(value, Unresolved):
            raise ProbeError(f"{one.ref}: its {key} is not known in the plan", APPLY)
    return decides
