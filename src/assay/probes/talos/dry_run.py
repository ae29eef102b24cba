"""Calls of the Talos API that change nothing even where they are let through, to try what a role may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.effect import Effect
from assay.model import Attempt
from assay.probes.talos.facts import Machine
from assay.probes.talos.read import Talos


@dataclass(frozen=True, slots=True)
class RolePair:
    """One call of the Talos API by name: the reader's attempt and the same call by the admin."""

    reader: Attempt
    admin: Attempt


class DryRunTalos(Talos):
    """The same, with calls that change nothing even where they are let through."""

    EFFECT: ClassVar[Effect] = Effect.DRY_RUN

    def try_roles(self, node: Machine, *words: str) -> RolePair:
        """Return the same harmless call tried by the reader and by the admin.

        Raises:
            ProbeError: one of them got no answer of the machine API at all.
        """
        return RolePair(self.clients.reader.attempt(node, *words), self.clients.admin.attempt(node, *words))
