"""What a run may do to the platform, who allowed it, and what it therefore leaves out."""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import UndeclaredError


UNASKED = (Effect.READS, Effect.DRY_RUN)


@dataclass(frozen=True, slots=True)
class Allowance:
    """The effects that a run may have.

    Attributes:
        effects: every one of them.
        by: who allowed it, in words.
        max_rps: the highest rate of load, requests per second; None: none is set.
        until: when the permission ends; None: with the run.
        closed: why the profile's `[allow]` does not hold now, empty where it does or there is none.
    """

    effects: frozenset[Effect]
    by: str
    max_rps: float | None = None
    until: dt.datetime | None = None
    closed: str = ""

    def __str__(self) -> str:
        """Return the effects and who allowed them."""
        return f"{', '.join(effect for effect in Effect if effect in self.effects)} ({self.by})"

    def why_not(self, effect: Effect) -> str:
        """Return why what has `effect` is left out, and what the reader can do."""
        where = "set another window under [allow]" if self.closed else "allow it under [allow] in the profile"
        why = f"its effect is {effect}, which is not allowed here"
        return f"{why}{f', {self.closed}' if self.closed else ''} - {where}, or run with --allow {effect}"

    def check(self, effect: Effect, moment: dt.datetime) -> None:
        """Check that the window of what was allowed beyond reads and dry runs has not ended meanwhile.

        Raises:
            UndeclaredError: it has; the control is NOT_CHECKED.
        """
        if self.until is not None and effect not in UNASKED and moment >= self.until:
            raise UndeclaredError(
                f"the window of [allow] ended on {self.until:%Y-%m-%d %H:%M %Z}, in mid-run",
                "set until under [allow] later than the run takes",
            )


NOTHING = Allowance(frozenset(), "nothing is run")


def allowance_of(profile: Profile, wanted: Sequence[str], moment: dt.datetime) -> Allowance:
    """Return what a run may do: what the command line says, else the lab's all, else what `[allow]` says.

    Args:
        profile: the stack; outside a lab it allows reads and dry runs, and more by its `[allow]`.
        wanted: effects named on the command line; each includes the smaller ones.
        moment: now.
    """
    allow = profile.allow
    if wanted:
        effects = _included(Effect(word) for word in wanted)
        return Allowance(effects, f"--allow {' '.join(wanted)}, by {getpass.getuser()}")
    if profile.is_lab:
        return Allowance(frozenset(Effect), "a lab allows everything")
    closed = allow.closed(moment) if allow is not None else ""
    if allow is None or closed:
        return Allowance(frozenset(UNASKED), closed or "the default outside a lab", closed=closed)
    by = f"{allow.allowed_by} until {allow.until:%Y-%m-%d %H:%M %Z}: {allow.reason}"
    effects = _included([*UNASKED, *allow.effects])
    return Allowance(effects, by, allow.max_rps, allow.until)


def _included(effects: Iterable[Effect]) -> frozenset[Effect]:
    named = tuple(effects)
    return frozenset(one for one in Effect if any(effect.includes(one) for effect in named))
