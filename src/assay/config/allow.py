"""What a platform's owner allows a run to do beyond reads and dry runs: the profile's `[allow]`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from assay.config.toml import Table
from assay.effect import Effect


@dataclass(frozen=True, slots=True)
class Allow:
    """Who allowed which effects, in which window, and why.

    Attributes:
        effects: each includes the smaller ones.
        begin: from when on, with its time zone (`from` in the profile).
        until: until when.
        allowed_by: who answers for it.
        reason: why.
        max_rps: the highest rate of load, requests per second; None where load is not allowed.
    """

    effects: tuple[Effect, ...]
    begin: dt.datetime
    until: dt.datetime
    allowed_by: str
    reason: str
    max_rps: float | None = None

    def closed(self, moment: dt.datetime) -> str:
        """Return why this does not hold at `moment`, empty where it does."""
        if moment < self.begin:
            return f"the window of [allow] begins on {self.begin:%Y-%m-%d %H:%M %Z}"
        if moment >= self.until:
            return f"the window of [allow] ended on {self.until:%Y-%m-%d %H:%M %Z}"
        return ""


def read_allow(table: Table) -> Allow | None:
    """Return what the table allows, None where the profile has none.

    Raises:
        ProfileError: an unknown effect, a window that ends before it begins, load without a rate.
    """
    if not table.values:
        return None
    effects, load = _effects(table), "max_rps"
    allow = Allow(
        effects,
        table.moment("from"),
        table.moment("until"),
        table.needed("allowed_by"),
        table.needed("reason"),
        table.number(load) if table.take(load) is not None else None,
    )
    table.close()
    if allow.until <= allow.begin:
        raise table.complain("until", "later than from")
    loads = any(effect.includes(Effect.LOAD) for effect in effects)
    if loads != (allow.max_rps is not None):
        raise table.complain(load, "given, requests per second" if loads else "left out: load is not allowed")
    if allow.max_rps is not None and not 0 < allow.max_rps < float("inf"):
        raise table.complain(load, "a number above 0")
    return allow


def _effects(table: Table) -> tuple[Effect, ...]:
    known, written = {str(effect): effect for effect in Effect}, table.texts("effects")
    if not written or not set(written) <= set(known):
        raise table.complain("effects", f"a list of {', '.join(known)}")
    return tuple(known[word] for word in written)
