"""What judging does to a platform: the word that a policy declares and a transport keeps to."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Effect(enum.StrEnum):
    """What judging does to the platform, as a policy declares it for each tier.

    `reads` changes and stores nothing; reviews that a caller asks of itself count as reads, because the API
    server keeps nothing of them. `dry-run` asks what would happen: admission runs, nothing is stored. `decoy`
    makes objects in a namespace or bucket of the suite's own and removes them. `writes` uses the platform as
    its users do and cleans up. `load` sends requests at the declared peak. `disrupts` takes parts away and
    puts them back.
    """

    READS = "reads"
    DRY_RUN = "dry-run"
    DECOY = "decoy"
    WRITES = "writes"
    LOAD = "load"
    DISRUPTS = "disrupts"

    def includes(self, other: Effect) -> bool:
        """Return whether what may do this may do `other` too.

        Each includes what stands before it; load alone is apart: it includes reads and dry runs, and only a
        disruption includes load.
        """
        order = list(Effect)
        beside = self is Effect.LOAD and other in (Effect.DECOY, Effect.WRITES)
        return order.index(other) <= order.index(self) and not beside


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a run allows beside the effect that a policy declares.

    Attributes:
        allowed: every effect that the run allows.
        max_rps: the highest rate of load, requests per second; None: none is set.
        drill: the one drill to run, by its name; empty: all that are due.
    """

    allowed: frozenset[Effect] = frozenset({Effect.READS, Effect.DRY_RUN})
    max_rps: float | None = None
    drill: str = ""


def not_allowed(effect: Effect) -> tuple[str, str]:
    """Return why a run leaves out what has `effect`, and what the reader can do."""
    return (
        f"its effect is {effect}, which this run does not allow",
        f"allow it under [allow] in the profile, or with --allow {effect}",
    )
