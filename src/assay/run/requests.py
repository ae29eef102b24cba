"""What a run sent to the platform, counted at the wire: by system, verb, resource and effect."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from assay.effect import Effect
from assay.probes.guard import RequestCounts
from assay.run.outcome import Outcome
from assay.run.past import PastRun


ITSELF = "the run itself"
UNASKED = (Effect.READS, Effect.DRY_RUN)


@dataclass(frozen=True, slots=True)
class SentRequests:
    """One kind of request of a run: how often it was sent, and for which controls and tiers."""

    system: str
    verb: str
    resource: str
    effect: str
    count: int
    askers: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Return whether it may have changed anything: neither a read nor a dry run."""
        return self.effect not in UNASKED


def merged(counts: Iterable[tuple[str, str, str, str, int]]) -> RequestCounts:
    """Return the same counts with each kind of request once."""
    whole: Counter[tuple[str, str, str, str]] = Counter()
    for *kind, count in counts:
        system, verb, resource, effect = kind
        whole[str(system), str(verb), str(resource), str(effect)] += count
    return tuple((*kind, count) for kind, count in sorted(whole.items()))


def requests_of(past: PastRun) -> list[SentRequests]:
    """Return every kind of request of a run; what it joined of an earlier one is that one's."""
    whole: Counter[tuple[str, str, str, str]] = Counter()
    askers: dict[tuple[str, str, str, str], set[str]] = {}
    own = [one for one in past.judgements if not one.run or one.run == past.run]
    sources = [(f"{one.control} {one.tier}", one.requests) for one in own]
    for asker, requests in [*sources, *((ITSELF, one.requests) for one in past.asides)]:
        for system, verb, resource, effect, count in requests:
            whole[system, verb, resource, effect] += count
            askers.setdefault((system, verb, resource, effect), set()).add(asker)
    return [
        SentRequests(*kind, count=count, askers=tuple(sorted(askers[kind])))
        for kind, count in sorted(whole.items())
    ]


def requests_text(outcome: Outcome) -> str:
    """Return the requests of a run as JSON: what its owner can lay beside the platform's own logs."""
    past = outcome.past
    rows = requests_of(past)
    document = {
        "run": past.run,
        "user_agent": f"assay/{past.run}",
        "stack": past.identity.get("stack", ""),
        "allowed": past.identity.get("allowed", ""),
        "head": past.chain.head,
        "sent": sum(one.count for one in rows),
        "changes": sum(one.count for one in rows if one.changes),
        "requests": [
            {
                "system": one.system,
                "verb": one.verb,
                "resource": one.resource,
                "effect": one.effect,
                "count": one.count,
                "for": list(one.askers),
            }
            for one in rows
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def requests_lines(past: PastRun) -> list[str]:
    """Return the requests of a run as lines of text, and a last one that sums them up."""
    rows = requests_of(past)
    lines = [f"{one.system:11} {one.effect:9} {one.count:6}  {one.verb} {one.resource}" for one in rows]
    changes = sum(one.count for one in rows if one.changes)
    said = f"{changes} may have changed something" if changes else "none of them changes anything"
    return [*lines, f"{past.title}: {sum(one.count for one in rows)} requests, {said}"]
