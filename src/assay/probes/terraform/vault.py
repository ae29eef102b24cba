"""Vault's policies and Kubernetes roles as Terraform plans declare them, by the provider hashicorp/vault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from assay.errors import ProbeError
from assay.formats.resource import Resource, Unresolved
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.vault.policy import VaultPolicy, VaultRole, policy, vault_role


T = TypeVar("T")
POLICY, ROLE = "vault_policy", "vault_kubernetes_auth_backend_role"
APPLY = "apply it, or make the plan with what it depends on in place"


class VaultInPlans:
    """What plans declare for Vault; the same questions as to files of Vault's own configuration."""

    def __init__(self, plans: Sequence[TerraformPlan], mount: str) -> None:
        """Read `plans`; `mount` is where the Kubernetes auth method is mounted."""
        self._plans, self._mount = plans, mount

    @property
    def declares(self) -> bool:
        """Return whether there is anything of Vault's in them.

        Raises:
            ProbeError: a plan cannot be read.
        """
        return any(True for _ in (*self._of(POLICY), *self._of(ROLE)))

    def policies(self) -> list[VaultPolicy]:
        """Return the declared policies by name.

        Raises:
            ProbeError: there is none, or one is known after apply only.
        """
        found = [policy(_text(one, "name"), _text(one, "policy")) for one in self._of(POLICY)]
        return sorted(_some(found, POLICY), key=lambda one: one.name)

    def roles(self) -> list[VaultRole]:
        """Return the declared roles of the mount by name.

        Raises:
            ProbeError: there is none, or one is known after apply only.
        """
        own = (one for one in self._of(ROLE) if _backend(one) in (self._mount, ""))
        found = [vault_role(_text(one, "role_name"), _known(one)) for one in own]
        return sorted(_some(found, ROLE), key=lambda one: one.name)

    def _of(self, kind: str) -> Iterator[Resource]:
        return (one for plan in self._plans for one in plan.resources if one.type == kind)


def _some(found: list[T], kind: str) -> list[T]:
    if not found:
        raise ProbeError(f"the plans declare no {kind}", "set config in [platform.vault], or add the plan")
    return found


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
