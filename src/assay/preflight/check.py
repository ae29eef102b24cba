"""What one thing that was tried before a run came to."""

from __future__ import annotations

from dataclasses import dataclass

from assay.model import Tier


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried.

    Attributes:
        kind: `key`, `credential`, `address`, `clock`, `tool` or `right`.
        subject: what was tried, as the profile or the platform names it.
        system: attribute of ReadStack that cannot be used where it failed; empty: none alone.
        ok: whether it is as it must be.
        says: what was found, one line.
        remedy: what to do where it is not ok.
        cases: (control, tier) of what cannot be judged where it failed, beside all that use `system`.
    """

    kind: str
    subject: str
    system: str
    ok: bool
    says: str
    remedy: str = ""
    cases: frozenset[tuple[str, Tier]] = frozenset()

    def stops(self, control: str, tier: Tier, systems: frozenset[str]) -> bool:
        """Return whether a case that asks `systems` cannot be judged because of this."""
        return not self.ok and (bool(self.system and self.system in systems) or (control, tier) in self.cases)
