"""Where Terraform keeps its state, and what would put a machine secret into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.probes.hetzner import servers
from assay.probes.resource import Resource


ENCRYPTED_BY_SERVICE = frozenset({"gcs", "azurerm", "remote", "cloud"})


@dataclass(frozen=True, slots=True)
class Leak:
    """A way for machine secrets into a state that anyone can read: the block or resource, and why."""

    named: str
    why: str


def leaks(settings: Iterable[Resource], resources: Iterable[Resource]) -> list[Leak]:
    """Return what keeps machine secrets in clear: an unencrypted backend, user_data of a server.

    Args:
        settings: the blocks inside of `terraform` (Hcl.settings).
        resources: the managed resources.
    """
    found = _backend(list(settings))
    written = (server for server in servers(resources) if server.user_data)
    why = "user_data: the machine configuration would lie in the state and in the metadata service"
    return found + [Leak(server.named, why) for server in written]


def _backend(settings: list[Resource]) -> list[Leak]:
    if any(
        one.type == "encryption" and (one.blocks("state") or "state" in one.attributes) for one in settings
    ):
        return []
    backends = [one for one in settings if one.type in ("backend", "cloud")]
    if not backends:
        return [Leak("terraform.backend", "none: the state is a file in clear")]
    return [leak for one in backends for leak in _of_backend(one)]


def _of_backend(one: Resource) -> list[Leak]:
    kind = one.name or one.type
    named = f"terraform.backend.{kind}"
    if kind in ENCRYPTED_BY_SERVICE:
        return []
    if kind != "s3":
        return [Leak(named, "does not encrypt the state at rest")]
    found = [] if one.attributes.get("encrypt") is True else [Leak(named, "encrypt is not true")]
    locked = one.attributes.get("use_lockfile") is True or one.attributes.get("dynamodb_table")
    return found + ([] if locked else [Leak(named, "the state is not locked")])
