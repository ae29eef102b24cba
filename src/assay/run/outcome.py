"""What a run came to, in the form that every view shows: one row per control of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from assay.catalogue import Catalogue, policies_digest
from assay.run.gate import ControlRow, control_rows, exit_code, gate_line
from assay.run.past import PastRun
from assay.run.summary import summary


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        past: the run as its evidence tells it.
        rows: one per control of the catalogue, in its order.
        catalogue: the controls, and where the specification contradicts itself or the facts.
        remarks: waivers that are expired, unused or unknown, stand-ins, and what a reader must know besides.
    """

    past: PastRun
    rows: tuple[ControlRow, ...]
    catalogue: Catalogue
    remarks: tuple[str, ...]

    @property
    def line(self) -> str:
        """Return the gate line."""
        return gate_line(self.rows, self.past.selection)

    @property
    def code(self) -> int:
        """Return the exit code."""
        return exit_code(self.rows)

    @property
    def lines(self) -> list[str]:
        """Return the summary."""
        return summary(self.rows, self.catalogue.findings, self.remarks)

    def stand_in(self, part: str) -> str:
        """Return why a stand-in is there, as the profile said when the run began; empty: it said nothing."""
        return next((reason for name, reason, _ in self.past.opening.stand_ins if name == part), "")

    def overrides(self, control: str) -> str:
        """Return what the profile set for one control, empty where it set nothing."""
        return dict(self.past.opening.overrides).get(control, "")

    def of(self, past: PastRun) -> Outcome:
        """Return what another run came to, by the same catalogue."""
        return Outcome(
            past, control_rows(self.catalogue, past.selection, past.judgements), self.catalogue, ()
        )


def case_outcome(past: PastRun, catalogue: Catalogue) -> Outcome:
    """Return what a run came to, by its evidence and the catalogue as it is now."""
    opening, closing = past.opening, past.closing
    remarks = (
        list(closing.remarks) if closing else ["cut off: the run has no closing record; verdicts are missing"]
    )
    if closing and closing.outcome != "complete":
        remarks.append(f"the run {closing.outcome}: verdicts may be missing")
    if opening.policies != policies_digest(catalogue):
        remarks.append("the policies have changed since the run: statements and remedies are those of now")
    remarks += [f"stand-in: {part}: {reason} (touches {what})" for part, reason, what in opening.stand_ins]
    rows = control_rows(catalogue, past.selection, past.judgements)
    return Outcome(past, rows, catalogue, tuple(remarks))
