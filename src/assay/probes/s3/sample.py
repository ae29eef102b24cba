"""What of a long listing is looked at: the newest versions and others drawn at random, in bounded memory.

Where a bucket holds more versions than anybody fetches in a night, a control judges the newest ones, which a
restore would use, and a random sample of the rest. If none of n drawn ones breaks it, the share of the rest
that does is at most 1 - 0.05^(1/n), about 3/n, with 95 % confidence (the rule of three).
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from assay.probes.s3.facts import ObjectVersion


DOUBT = 0.05
TOLD_EVERY = 20_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The versions that are looked at, of `listed` ones.

    Attributes:
        listed: how many there are.
        newest: the newest of them, newest first.
        drawn: drawn at random from all others; all of them where they are few.
    """

    listed: int
    newest: tuple[ObjectVersion, ...]
    drawn: tuple[ObjectVersion, ...] = ()

    @property
    def judged(self) -> tuple[ObjectVersion, ...]:
        """Return every version that is looked at, the newest first."""
        return (*self.newest, *self.drawn)

    @property
    def whole(self) -> bool:
        """Return whether nothing is left out."""
        return len(self.judged) == self.listed

    def __str__(self) -> str:
        """Return what is looked at, and what that says of the rest if nothing is found."""
        if self.whole:
            return f"all {self.listed}"
        bound = 1 - DOUBT ** (1 / len(self.drawn)) if self.drawn else 1.0
        judged = f"the {len(self.newest)} newest of {self.listed} and {len(self.drawn)} drawn at random"
        return f"{judged}; if none of them breaks it, at most {bound:.2%} of the others do (95 % confidence)"


def sample(versions: Iterable[ObjectVersion], newest: int, drawn: int) -> Sample:
    """Return the `newest` ones and `drawn` random ones of a listing, which is read once and not kept.

    Vitter's algorithm R draws from what has left the heap of the newest ones, so each of the others has the
    same chance.
    """
    heap: list[tuple[float, int, ObjectVersion]] = []
    others: list[ObjectVersion] = []
    passed, listed, dice = 0, 0, random.SystemRandom()
    for one in versions:
        listed += 1
        entry = (one.modified.timestamp(), listed, one)
        if len(heap) < newest:
            heapq.heappush(heap, entry)
            continue
        left = heapq.heappushpop(heap, entry)[2]
        passed += 1
        if len(others) < drawn:
            others.append(left)
        elif (place := dice.randrange(passed)) < drawn:
            others[place] = left
    kept = sorted(heap, key=lambda entry: entry[:2], reverse=True)
    return Sample(listed, tuple(one for _, _, one in kept), tuple(others))


def count_versions(
    versions: Iterable[ObjectVersion], tell: Callable[[str], None], what: str
) -> Iterator[ObjectVersion]:
    """Yield every version, and tell how many it were from time to time: a long list takes minutes."""
    for number, one in zip(itertools.count(1), versions, strict=False):
        if number % TOLD_EVERY == 0:
            tell(f"{number} versions listed in {what}")
        yield one
