"""How far a run is and how long it still takes, by how long each case took the last time."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import AssayError
from assay.run.entries import Judgement
from assay.run.evidence import read_lines


LOOKED_AT = 20
LATER = "ASSAY_LATER"


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a case took: of which tier, seconds with planting and undoing."""

    tier: str
    seconds: float


def earlier(folder: Path) -> dict[str, Duration]:
    """Return node id -> how long it took in the newest of the last runs that has it.

    Args:
        folder: of evidence or proof files; one that cannot be read is passed over.
    """
    found: dict[str, Duration] = {}
    files = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[:LOOKED_AT]:
        try:
            lines = read_lines(path)
        except AssayError:
            continue  # an estimate only: a damaged file is reported where it is judged
        for line in lines:
            seconds = line.get("seconds")
            if isinstance(seconds, int | float):
                found.setdefault(
                    str(line.get("test", "")), Duration(str(line.get("tier", "")), float(seconds))
                )
    return found


def expected_seconds(known: Mapping[str, Duration], tiers: Collection[str], workers: int = 1) -> float:
    """Return the seconds that all known cases of some tiers take on `workers` processes."""
    return sum(one.seconds for one in known.values() if one.tier in tiers) / workers


@dataclass
class Progress:
    """What is left of a run.

    Attributes:
        known: how long cases took.
        wanted: the cases of this run.
        workers: how many run at the same time.
        later: seconds that further parts of the same run take.
    """

    known: Mapping[str, Duration]
    wanted: Iterable[str]
    workers: int = 1
    later: float = field(default_factory=lambda: float(os.environ.get(LATER, 0)))

    def __post_init__(self) -> None:
        """Note what there is to do."""
        self._left = set(self.wanted)
        self._all = len(self._left)

    def line(self, found: Judgement) -> str:
        """Count a case as done and return its line, `[3/9] DR-03 drill: PASS, 191 s; about 6 min left`."""
        violation = f" {found.violation}" if found.violation else ""
        what = f"{found.control} {found.tier}{violation}: {found.verdict}, {found.seconds:.0f} s"
        return f"{self._done(found.test)} {what}; {self._words()}"

    def _done(self, case: str) -> str:
        self._left.discard(case)
        return f"[{self._all - len(self._left):{len(str(self._all))}}/{self._all}]"

    def _words(self) -> str:
        seconds = [self.known[one].seconds for one in self._left if one in self.known]
        if new := len(self._left) - len(seconds):
            return f"{new} to come for the first time"
        left = max(sum(seconds) / self.workers, max(seconds, default=0.0)) + self.later
        return f"about {left / 60:.0f} min left" if left >= 90 else f"about {left:.0f} s left"
