"""Where Terraform keeps its state, and what would put a machine secret into it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from assay.errors import ProbeError
from assay.formats.resource import Resource
from assay.probes.terraform.hetzner import servers


LARGEST = 64 * 1024 * 1024
ENCRYPTED_BY_SERVICE = frozenset({"gcs", "azurerm", "remote", "cloud"})


@dataclass(frozen=True, slots=True)
class StateFault:
    """A way for machine secrets into a state that anyone can read: the block or resource, and why."""

    ref: str
    why: str


class TerraformState:
    """One state file, as `terraform state pull` or `terraform show -json` writes it; read when first asked.

    Raises:
        ProbeError: the file cannot be read, is larger than 64 MiB, or is no state of a known format.
    """

    def __init__(self, path: Path) -> None:
        """Read nothing yet; `path` is the file."""
        self.path = path

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """Return the parsed state after checking what it is."""
        state = self._parsed()
        shown = "format_version" in state and ("values" in state or "terraform_version" in state)
        pulled = state.get("version") == 4 and isinstance(state.get("resources"), list)
        if not (shown or pulled or "encrypted_data" in state):
            raise ProbeError(
                f"{self.path.name}: no state of a known format", "write it with terraform state pull"
            )
        return state

    @property
    def encrypted(self) -> bool:
        """Return True for a state that OpenTofu encrypted."""
        return "encrypted_data" in self.document and "resources" not in self.document

    def _parsed(self) -> Mapping[str, Any]:
        try:
            if self.path.stat().st_size > LARGEST:
                raise ProbeError(f"{self.path.name}: larger than {LARGEST} bytes", "split the root module")
            state = json.loads(self.path.read_text(encoding="utf-8"))
        except OSError as why:
            raise ProbeError(
                f"{self.path.name}: cannot be read: {why.strerror}", "check state under [paths]"
            ) from why
        except (ValueError, RecursionError):
            # Without the cause: it holds the text.
            raise ProbeError(
                f"{self.path.name}: is not JSON in plain UTF-8", "pull the state again"
            ) from None
        if not isinstance(state, dict):
            raise ProbeError(f"{self.path.name}: is no JSON object", "write it with terraform state pull")
        return state


def state_faults(settings: Iterable[Resource], resources: Iterable[Resource]) -> list[StateFault]:
    """Return what keeps machine secrets in clear: an unencrypted backend, user_data of a server.

    Args:
        settings: the blocks inside of `terraform` (Hcl.settings).
        resources: the managed resources.
    """
    found = _backend(list(settings))
    written = (server for server in servers(resources) if server.user_data)
    why = "user_data: the machine configuration would lie in the state and in the metadata service"
    return found + [StateFault(server.ref, why) for server in written]


def _backend(settings: list[Resource]) -> list[StateFault]:
    if any(
        one.type == "encryption" and (one.blocks("state") or "state" in one.attributes) for one in settings
    ):
        return []
    backends = [one for one in settings if one.type in ("backend", "cloud")]
    if not backends:
        return [StateFault("terraform.backend", "none: the state is a file in clear")]
    return [leak for one in backends for leak in _of_backend(one)]


def _of_backend(one: Resource) -> list[StateFault]:
    kind = one.name or one.type
    ref = f"terraform.backend.{kind}"
    if kind in ENCRYPTED_BY_SERVICE:
        return []
    if kind != "s3":
        return [StateFault(ref, "does not encrypt the state at rest")]
    found = [] if one.attributes.get("encrypt") is True else [StateFault(ref, "encrypt is not true")]
    locked = one.attributes.get("use_lockfile") is True or one.attributes.get("dynamodb_table")
    return found + ([] if locked else [StateFault(ref, "the state is not locked")])
