"""The proof that a control sees.

When a planted violation counts as caught, and the matrix of what was caught.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.errors import AssayError
from assay.model import Breach, Named, Record, Verdict
from assay.run.entries import Judgement
from assay.run.gate import GREEN, RED, UNSURE, UNUSABLE


Expectation = Named | Breach | Sequence[Named]  # what a violation yields: what the test must name


def expectation_text(expectation: Expectation) -> str:
    """Return in words what the test must name."""
    if isinstance(expectation, Named):
        return expectation.what
    if isinstance(expectation, Breach):
        return f"{expectation.metric} {expectation.direction} {expectation.at_least:g}"
    return ", ".join(str(one) for one in expectation)


def is_expectation(thing: object) -> bool:
    """Return True if a violation yielded something that can be looked for."""
    if isinstance(thing, Named | Breach):
        return True
    return isinstance(thing, list | tuple) and bool(thing) and all(isinstance(one, Named) for one in thing)


def is_named(record: Record, expectation: Expectation) -> bool:
    """Return True if the record names what was planted: every offender, or a number beyond the breach."""
    if isinstance(expectation, Breach):
        return any(
            _beyond(one.value, expectation) for one in record.numbers if one.metric == expectation.metric
        )
    wanted = [expectation] if isinstance(expectation, Named) else expectation
    return {one.what for one in wanted} <= {one.ref for one in record.found}


def why_not_caught(proof: Judgement) -> str:
    """Return why a proof shows a control that does not see, empty where it sees or could not be tried."""
    if proof.verdict == Verdict.PASS:
        return f"not caught: {proof.planted}"
    return f"caught, but not named: {proof.planted}" if proof.caught and not proof.named else ""


def _beyond(value: float, breach: Breach) -> bool:
    return value >= breach.at_least if breach.direction == "above" else value <= breach.at_least


def proof_code(proofs: Sequence[Judgement]) -> int:
    """Return 0 all caught and named, 1 one was missed or not named, 10 one could not be tried.

    4 there was nothing to try.
    """
    if not proofs:
        return UNUSABLE
    if any(one.verdict in (Verdict.PASS, Verdict.FAIL) and not (one.caught and one.named) for one in proofs):
        return RED
    return (
        GREEN if all(one.caught and one.named and one.verdict == Verdict.FAIL for one in proofs) else UNSURE
    )


def proof_line(proofs: Sequence[Judgement]) -> str:
    """Return the last line of a proof: how many violations were caught and named."""
    colour = {GREEN: "PROVED", RED: "BLIND", UNSURE: "UNSURE"}.get(proof_code(proofs), "NOTHING PLANTED")
    good = sum(one.caught and one.named for one in proofs)
    controls = len({one.control for one in proofs})
    return f"{colour}: {good} of {len(proofs)} planted violations caught and named, {controls} controls"


def proof_lines(proofs: Iterable[Judgement]) -> list[str]:
    """Return one line per planted violation, the bad ones with what came instead."""
    lines = []
    for one in sorted(proofs, key=lambda row: (row.control, row.tier, row.violation)):
        word = (
            "caught and named"
            if one.caught and one.named
            else "caught, NOT NAMED"
            if one.caught
            else "MISSED"
        )
        word = word if one.verdict in (Verdict.PASS, Verdict.FAIL) else str(one.verdict)
        lines.append(f"  {one.control:8} {one.violation} ({one.tier}): {word}, {one.seconds:.1f} s")
        if not (one.caught and one.named):
            lines.append(
                f"           planted: {one.planted or 'nothing'}; the test said {one.verdict}: {one.reason}"
            )
    return lines


@dataclass(frozen=True, slots=True)
class Detection:
    """A row of the detection matrix: what a control's test made of one violation.

    Attributes:
        control: the control.
        violation: the violation's name.
        tier: of the test.
        test: its node id.
        caught: it turned red.
        named: it named what was planted.
        seconds: how long planting, judging and undoing took.
        planted: what was planted, in words.
        says: the reason that the test gave.
    """

    control: str
    violation: str = ""
    tier: str = ""
    test: str = ""
    caught: bool = False
    named: bool = False
    seconds: float = 0.0
    planted: str = ""
    says: str = ""

    @property
    def word(self) -> str:
        """Return what came of it in words."""
        if self.caught:
            return "caught and named" if self.named else "not named"
        return "not caught"


def detection_of(one: Judgement) -> Detection:
    """Return a proof as a row of the detection matrix."""
    return Detection(
        one.control,
        one.violation,
        one.tier,
        one.test,
        one.caught,
        one.named,
        round(one.seconds, 1),
        one.planted,
        one.reason,
    )


def write_detections(path: Path, proofs: Iterable[Judgement]) -> None:
    """Merge proofs into the detection matrix at `path`, sorted.

    A row stands for (control, violation, tier).
    """
    store_detections(path, (*read_detections(path), *map(detection_of, proofs)))


def store_detections(path: Path, rows: Iterable[Detection]) -> None:
    """Write a detection matrix, sorted; of two rows on the same thing the later one."""
    known = {_key(one): one for one in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    sorted_rows = [asdict(known[key]) for key in sorted(known)]
    path.write_text(json.dumps(sorted_rows, indent=1) + "\n", encoding="utf-8")


def read_detections(path: Path) -> list[Detection]:
    """Return the rows of a detection matrix; none where there is no file.

    Raises:
        AssayError: it is not a list of rows.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return [Detection(**row) for row in found]
    except (OSError, ValueError, TypeError, RecursionError) as problem:
        raise AssayError(f"{path.name}: not a detection matrix", "delete it and run make prove") from problem


def _key(one: Detection) -> tuple[str, str, str]:
    return one.control, one.violation, one.tier
