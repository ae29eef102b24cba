"""From how a test ended to a verdict and its reason.

Exception texts of strangers are never repeated: they may hold secrets.
"""

from __future__ import annotations

from pathlib import Path

from assay.errors import AssayError, UndeclaredError
from assay.model import Record, Verdict


def judge(record: Record, problem: BaseException | None) -> tuple[Verdict, str, str]:
    """Return (verdict, reason, remedy) for a test that ended with `problem`, None where it ran to its end."""
    if problem is None:
        return _passed(record)
    if isinstance(problem, AssertionError):
        return Verdict.FAIL, _why(record, problem), record.control.remedy
    if isinstance(problem, UndeclaredError):
        return Verdict.NOT_CHECKED, _line(problem.message), _line(problem.remedy)
    if isinstance(problem, AssayError):
        return Verdict.ERROR, _line(problem.message), _line(problem.remedy)
    return (
        Verdict.ERROR,
        f"{type(problem).__name__}{_where(problem)}",
        "mend the test or the probe named here",
    )


def _passed(record: Record) -> tuple[Verdict, str, str]:
    if record.found:
        return Verdict.ERROR, "offenders were noted but the test did not assert on them", "mend the test"
    if not record.looked_at and not record.numbers:
        return Verdict.ERROR, "passed without a population: nothing was looked at", "mend the test"
    return Verdict.PASS, "", ""


def _why(record: Record, problem: AssertionError) -> str:
    first = _line(str(problem).partition("\n")[0])
    if first and not first.startswith("assert "):
        return first
    if record.found:
        return f"{len(record.found)} of {record.looked_at or len(record.found)} break it"
    if record.numbers:
        return "; ".join(f"{one.metric} is {one.value:g} {one.unit}" for one in record.numbers)
    return "the assertion does not hold"


def _where(problem: BaseException) -> str:
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


def _line(text: str) -> str:
    return " ".join(text.split())
