"""A run as its evidence tells it: what it was asked to judge, what came of it, how it ended."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.effect import Effect
from assay.errors import AssayError
from assay.model import Tier, Verdict
from assay.run.entries import Aside, Closing, Judgement, Opening, entry_from
from assay.run.evidence import Chain, read_lines, verify
from assay.run.gate import Selection


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run.

    Attributes:
        run: its id.
        file: its evidence.
        identity: stack, cluster, actor and revisions, as every line carries them.
        opening: what it was asked to judge.
        judgements: its own, then those of the run that it completes.
        asides: what it sent beside its judgements.
        closing: None where the run was killed or the file was cut off.
        chain: the chain of its lines.
    """

    run: str
    file: Path
    identity: Mapping[str, Any]
    opening: Opening
    judgements: tuple[Judgement, ...]
    closing: Closing | None
    chain: Chain
    asides: tuple[Aside, ...] = ()

    @property
    def title(self) -> str:
        """Return how the run is called in a sentence: its id, when it began, and if it did not end."""
        end = "" if self.closing else ", cut off"
        return f"run {self.run} of {self.opening.started[:16].replace('T', ' ')} UTC{end}"

    @property
    def selection(self) -> Selection:
        """Return what the run was asked to judge."""
        one = self.opening
        return Selection(
            pairs=frozenset((control, Tier(tier)) for control, tier in one.pairs),
            says=one.says,
            left_out={
                (control, Tier(tier)): (Effect(effect), why) for control, tier, effect, why in one.left_out
            },
            parts={(control, Tier(tier)): Effect(effect) for control, tier, effect in one.parts},
            scope=frozenset(one.scope),
            not_applicable=dict(one.not_applicable),
            joins=one.joins_says,
        )


@dataclass(frozen=True, slots=True)
class Join:
    """An earlier run that another one completes; `again` are the cases that the other judges itself."""

    past: PastRun
    again: frozenset[tuple[str, Tier]]


def read_past_run(file: Path) -> PastRun:
    """Return the run whose evidence is in `file`, joined to the one that it completes.

    Raises:
        AssayError: not readable, the chain is broken, there is no opening record, or a record has another
            shape; the same of a run that it completes, which must also be as it was then.
    """
    lines = read_lines(file)
    chain = verify(lines)
    entries = [entry_from(line) for line in lines]
    opening = entries[0] if entries else None
    if not isinstance(opening, Opening):
        raise AssayError(
            f"{file.name}: no opening record says what the run was asked to judge",
            "it is not the evidence of a run, or of an earlier version; judge again",
        )
    own = tuple(one for one in entries if isinstance(one, Judgement))
    closing = entries[-1] if isinstance(entries[-1], Closing) else None
    judgements = (*own, *_joined(file, opening))
    run, asides = str(lines[0].get("run", file.stem)), tuple(one for one in entries if isinstance(one, Aside))
    past = PastRun(run, file, lines[0], opening, judgements, closing, chain, asides)
    _check_words(past)
    return past


def _check_words(past: PastRun) -> None:
    """Check that tiers, effects, verdicts and times are such.

    Raises:
        AssayError: one is not.
    """
    try:
        _ = past.selection
        moments = [
            past.opening.started,
            *(moment for one in past.judgements for moment in (one.start, one.end)),
        ]
        for moment in moments:
            datetime.datetime.fromisoformat(moment)
        for one in past.judgements:
            Tier(one.tier), Verdict(one.verdict)
    except ValueError as problem:
        raise AssayError(
            f"{past.file.name}: a tier, an effect, a verdict or a time is not one", "the file was changed"
        ) from problem


def _joined(file: Path, opening: Opening) -> Iterator[Judgement]:
    """Yield the judgements of the run that this one completes, without those that it made again."""
    if not opening.joins:
        return
    earlier = read_past_run(file.with_name(f"{opening.joins}.jsonl"))
    if earlier.chain.head != opening.joins_head:
        raise AssayError(
            f"{earlier.file.name}: changed since {file.name} was joined to it", "judge the stack again"
        )
    again, pairs = set(opening.again), set(opening.pairs)
    yield from (one for one in earlier.judgements if (one.control, one.tier) in pairs - again)


def find_run(folder: Path, name: str) -> PastRun:
    """Return the run called `name`: a file, or the id of a run below `folder`, or the beginning of one id.

    Raises:
        AssayError: there is none, there are several, or it cannot be read.
    """
    if Path(name).is_file():
        return read_past_run(Path(name))
    found = [path for path in sorted(folder.glob("*.jsonl")) if path.stem.startswith(name)]
    if len(found) != 1:
        why = "no such run" if not found else f"{len(found)} runs begin like this"
        raise AssayError(f"{name}: {why} in {folder}", "name an id, or a .jsonl file of evidence")
    return read_past_run(found[0])


def earlier_runs(folder: Path, stack: str, cluster_uid: str, most: int = 20) -> list[PastRun]:
    """Return the runs of one stack below `folder`, newest first; a file that cannot be read is passed over.

    Args:
        folder: of evidence files.
        stack: the profile's name of it.
        cluster_uid: another cluster of that name is another stack; empty: not known.
        most: how many at most.
    """
    found: list[PastRun] = []
    for file in sorted(folder.glob("*.jsonl"), key=lambda path: path.name, reverse=True):
        try:
            past = read_past_run(file)
        except AssayError:
            continue  # for a trend only; a file that is asked for by name is read by name, and complains
        other = past.identity.get("cluster_uid") or cluster_uid
        if past.identity.get("stack") == stack and (not cluster_uid or other == cluster_uid):
            found.append(past)
        if len(found) == most:
            break
    return found
