"""What a platform declares for Vault, wherever it does: files, Terraform, objects of an operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from assay.errors import ProbeError
from assay.probes.vault.policy import VaultPolicy, VaultRole


T = TypeVar("T", VaultPolicy, VaultRole)
REMEDY = (
    "set config in [platform.vault], or add the plan or state that has them to [paths], or the operator's "
    "objects to gitops"
)


class VaultSource(Protocol):
    """One place where policies and roles are declared; either list may be empty."""

    def policies(self) -> list[VaultPolicy]:
        """Return its policies."""

    def roles(self) -> list[VaultRole]:
        """Return its roles."""


class DeclaredVault:
    """Everything that several sources declare."""

    def __init__(self, sources: Sequence[VaultSource]) -> None:
        """Read nothing yet."""
        self._sources = sources

    def policies(self) -> list[VaultPolicy]:
        """Return the declared policies by name.

        Raises:
            ProbeError: there is none, one is declared twice, or a source cannot be read.
        """
        return _each_once([one for source in self._sources for one in source.policies()], "policies")

    def roles(self) -> list[VaultRole]:
        """Return the declared roles of every Kubernetes auth method by name; errors as for `policies`."""
        return _each_once([one for source in self._sources for one in source.roles()], "Kubernetes roles")


def _each_once(found: Iterable[T], what: str) -> list[T]:
    known: dict[str, T] = {}
    for one in found:
        if known.setdefault(one.ref, one) != one:
            raise ProbeError(f"{one.ref} is declared twice, and not the same", "declare it once")
    if not known:
        raise ProbeError(f"the sources declare no {what} of Vault", REMEDY)
    return [known[ref] for ref in sorted(known)]
