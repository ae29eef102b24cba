"""Where Terraform keeps its state, and what would put a machine secret into it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from assay.config.platform import StateBackend
from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.formats.resource import Resource
from assay.probes.terraform.hetzner import servers


MAX_STATE_BYTES = 64 * 1024 * 1024
ENCRYPTED_BY_SERVICE = frozenset({"gcs", "azurerm", "remote", "cloud"})


@dataclass(frozen=True, slots=True)
class StateFault:
    """A way for machine secrets into a state that anyone can read: the block or resource, and why."""

    ref: str
    why: str


class TerraformState:
    """One state file, as `terraform state pull` or `terraform show -json` writes it; read when first asked.

    Raises:
        ProbeError: the file cannot be read, is larger than 64 MiB, or is not a state of a known format.
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
                f"{self.path.name}: not a state of a known format", "write it with terraform state pull"
            )
        return state

    @cached_property
    @parsing("a resource of the state", "pull the state again")
    def resources(self) -> tuple[Resource, ...]:
        """Return every instance of every managed resource.

        Raises:
            ProbeError: the state is encrypted, or a resource has another shape.
        """
        return tuple(self._of("managed"))

    def _of(self, mode: str) -> Iterator[Resource]:
        if self.encrypted:
            raise ProbeError(
                f"{self.path.name}: is encrypted", "pull it with tofu state pull, which opens it"
            )
        for one in self.document.get("resources") or ():
            if one["mode"] == mode:
                yield from (self._instance(one, instance) for instance in one["instances"])
        for one in _shown((self.document.get("values") or {}).get("root_module") or {}):
            if one["mode"] == mode:
                yield self._made(one, one["values"], one.get("index"))

    def _instance(self, one: Mapping[str, Any], instance: Mapping[str, Any]) -> Resource:
        return self._made(one, instance.get("attributes") or {}, instance.get("index_key"))

    def _made(self, one: Mapping[str, Any], values: Mapping[str, Any], key: int | str | None) -> Resource:
        at = one.get("address") or ".".join(filter(None, (one.get("module"), one["type"], one["name"])))
        return Resource(one["type"], one["name"], values, f"{self.path.name}:{at}", key)

    @property
    def encrypted(self) -> bool:
        """Return True for a state that OpenTofu encrypted."""
        return "encrypted_data" in self.document and "resources" not in self.document

    def _parsed(self) -> Mapping[str, Any]:
        try:
            if self.path.stat().st_size > MAX_STATE_BYTES:
                raise ProbeError(
                    f"{self.path.name}: larger than {MAX_STATE_BYTES} bytes", "split the root module"
                )
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
            raise ProbeError(f"{self.path.name}: is not a JSON object", "write it with terraform state pull")
        return state


def _shown(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the resources of a module and its children, as `terraform show -json` writes them."""
    yield from module.get("resources") or ()
    for child in module.get("child_modules") or ():
        yield from _shown(child)


def state_faults(
    settings: Iterable[Resource], resources: Iterable[Resource], encrypting: Iterable[StateBackend] = ()
) -> list[StateFault]:
    """Return what keeps machine secrets in clear: an unencrypted backend, user_data of a server.

    Args:
        settings: the blocks inside of `terraform` (Hcl.settings).
        resources: the managed resources.
        encrypting: backends whose service encrypts the state, as the profile declares with a reason.
    """
    found = _backend(list(settings), frozenset(one.type for one in encrypting))
    written = (server for server in servers(resources) if server.user_data)
    why = "user_data: the machine configuration would lie in the state and in the metadata service"
    return found + [StateFault(server.ref, why) for server in written]


def _backend(settings: list[Resource], encrypting: frozenset[str]) -> list[StateFault]:
    if any(
        one.type == "encryption" and (one.blocks("state") or "state" in one.attributes) for one in settings
    ):
        return []
    backends = [one for one in settings if one.type in ("backend", "cloud")]
    if not backends:
        return [StateFault("terraform.backend", "none: the state is a file in clear")]
    return [leak for one in backends for leak in _of_backend(one, encrypting)]


def _of_backend(one: Resource, encrypting: frozenset[str]) -> list[StateFault]:
    kind = one.name or one.type
    ref = f"terraform.backend.{kind}"
    if kind in ENCRYPTED_BY_SERVICE:
        return []
    accepted = kind in encrypting
    if kind != "s3":
        why = "nothing says that it encrypts the state: declare [[platform.state_backends]]"
        return [] if accepted else [StateFault(ref, why)]
    encrypted = accepted or one.attributes.get("encrypt") is True
    locked = one.attributes.get("use_lockfile") is True or one.attributes.get("dynamodb_table")
    found = [] if encrypted else [StateFault(ref, "encrypt is not true")]
    return found + ([] if locked else [StateFault(ref, "the state is not locked")])
