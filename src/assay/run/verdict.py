"""From how a test ended to a verdict and its reason, and to what every report may show of it.

Exception texts of strangers are never repeated: they may hold secrets.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import AssayError, PopulationError, UndeclaredError
from assay.model import Record, Tier, Verdict
from assay.run.evidence import Judgement


MOST_SHOWN = 20


def classify(record: Record, problem: BaseException | None) -> tuple[Verdict, str, str]:
    """Return (verdict, reason, remedy) for a test that ended with `problem`, None where it ran to its end."""
    if problem is None:
        return _passed(record)
    if isinstance(problem, AssertionError):
        return Verdict.FAIL, _why(record, problem), record.control.remedy
    if isinstance(problem, UndeclaredError):
        return Verdict.NOT_CHECKED, _line(problem.message), _line(problem.remedy)
    known = redacted(problem)
    return Verdict.ERROR, _line(known.message), _line(known.remedy)


def judgement_of(
    record: Record, problem: BaseException | None, tier: Tier, test: str, begun: float
) -> Judgement:
    """Return the judgement of a test that began at `begun` (since 1970) and ended now with `problem`."""
    verdict, reason, remedy = classify(record, problem)
    control, now = record.control, time.time()
    return Judgement(
        control=control.id,
        digest=control.digest,
        owner=control.owner,
        tier=str(tier),
        test=test,
        verdict=str(verdict),
        reason=reason,
        remedy=remedy,
        start=_iso(begun),
        end=_iso(now),
        seconds=round(now - begun, 3),
        looked_at=record.looked_at,
        expected=record.expected,
        offenders=tuple((one.ref, one.why) for one in record.found),
        numbers=tuple((one.metric, one.value, one.unit) for one in record.numbers),
        limits=record.limits(),
        asked=tuple(record.asked),
        notes=dict(record.notes),
        standins=tuple(sorted(record.standins)),
    )


def report_error(what: Judgement, problem: BaseException | None) -> Exception:
    """Return `problem` in the words of its judgement, for reports that show exceptions (JUnit, Allure).

    What a stranger's exception says, what an assertion compared, and what caused an error may hold a secret.
    """
    if problem is None:
        return PopulationError(what.reason, what.remedy)
    if what.verdict != Verdict.FAIL:
        return redacted(problem)
    shown = [f"- {ref}: {why}" if why else f"- {ref}" for ref, why in what.offenders[:MOST_SHOWN]]
    more = len(what.offenders) - len(shown)
    lines = [what.reason, *shown, *([f"... and {more} more"] if more else []), f"remedy: {what.remedy}"]
    return AssertionError("\n".join(lines)).with_traceback(problem.__traceback__)


def redacted(problem: BaseException) -> AssayError:
    """Return an error of our own without its causes, or what may be said of a stranger's."""
    if isinstance(problem, AssayError):
        problem.__cause__, problem.__suppress_context__ = None, True
        return problem
    said = f"{type(problem).__name__}{_where(problem)}"
    return AssayError(said, "mend the test or the probe named here").with_traceback(problem.__traceback__)


@contextmanager
def redact_errors() -> Iterator[None]:
    """Let nothing but errors of our own come out of the body, without their causes."""
    try:
        yield
    except Exception as problem:  # noqa: BLE001 - it ends in another one
        raise redacted(problem) from None


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


def _iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="milliseconds")


def _line(text: str) -> str:
    return " ".join(text.split())
