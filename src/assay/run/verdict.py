"""From how a test ended to a verdict and its reason, and to what every report may show of it.

Messages of third-party exceptions are redacted: they may contain secrets.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from assay.errors import AssayError, PopulationError, UndeclaredError
from assay.model import Record, Tier, Unread, Verdict
from assay.run.entries import Judgement


MOST_SHOWN = 20
REST = "the rest of the test"  # stands for what was not looked at when an exception ended the test


def classify(record: Record, problem: BaseException | None) -> tuple[Verdict, str, str]:
    """Return (verdict, reason, remedy) for a test that ended with `problem`, None where it ran to its end.

    An offender that was found stands: whatever could not be read besides, the verdict is FAIL.
    """
    unread = unread_of(record, problem)
    if isinstance(problem, AssertionError) or (problem is not None and record.found):
        return Verdict.FAIL, _joined(_why(record, problem), unread), record.control.remedy
    if isinstance(problem, UndeclaredError):
        return Verdict.NOT_CHECKED, _line(problem.message), _line(problem.remedy)
    if problem is not None:
        known = redacted(problem)
        # Where nothing is there to judge because it could not be read, the reader needs a way to read it.
        helps = unread[0] if unread and isinstance(problem, PopulationError) else known
        return Verdict.ERROR, _joined(_line(known.message), unread), _line(helps.remedy)
    return _passed(record)


def unread_of(record: Record, problem: BaseException | None) -> tuple[Unread, ...]:
    """Return what could not be read: what the test noted, and its rest if it broke off after an offender."""
    noted = tuple(record.gaps)
    if problem is None or isinstance(problem, AssertionError) or not record.found:
        return noted
    known = redacted(problem)
    return (*noted, Unread(REST, known.message, known.remedy))


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
        found=len(record.found),
        offenders=tuple((one.ref, one.why) for one in record.found),
        unread=tuple((one.ref, _line(one.why), _line(one.remedy)) for one in unread_of(record, problem)),
        numbers=tuple((one.metric, one.value, one.unit) for one in record.numbers),
        limits=record.limits(),
        asked=tuple(record.asked),
        notes=dict(record.notes),
    )


def report_error(what: Judgement, problem: BaseException | None) -> Exception:
    """Return `problem` in the words of its judgement, for reports that show exceptions (JUnit, Allure).

    A third-party message, what an assertion compared, and the cause of an error may contain a secret.
    """
    if problem is None:
        return PopulationError(what.reason, what.remedy)
    if what.verdict != Verdict.FAIL:
        return redacted(problem)
    shown = [f"- {ref}: {why}" if why else f"- {ref}" for ref, why in what.offenders[:MOST_SHOWN]]
    more = len(what.offenders) - len(shown)
    gaps = [f"- could not be read: {ref}: {why}" for ref, why, _ in what.unread[:MOST_SHOWN]]
    lines = [what.reason, *shown, *([f"... and {more} more"] if more > 0 else []), *gaps]
    lines.append(f"remedy: {what.remedy}")
    return AssertionError("\n".join(lines)).with_traceback(problem.__traceback__)


def redacted(problem: BaseException) -> AssayError:
    """Return an error of our own without its causes, or one that says the type and place of another's."""
    if isinstance(problem, AssayError):
        problem.__cause__, problem.__suppress_context__ = None, True
        return problem
    said = f"{type(problem).__name__}{_where(problem)}"
    return AssayError(said, "fix the test or the probe named here").with_traceback(problem.__traceback__)


@contextmanager
def redact_errors() -> Iterator[None]:
    """Turn every exception of the body into an error of our own, without its causes."""
    try:
        yield
    except Exception as problem:  # noqa: BLE001 - it ends in another one
        raise redacted(problem) from None


def _passed(record: Record) -> tuple[Verdict, str, str]:
    if record.found:
        return (
            Verdict.ERROR,
            "offenders were noted but the test did not assert on them",
            "end the test with: assert not control.found",
        )
    if record.gaps:
        return Verdict.ERROR, _unread(record.gaps), _line(record.gaps[0].remedy)
    if record.left_out:
        parts = "; ".join(f"{one.ref}: {_line(one.why)}" for one in record.left_out)
        return Verdict.NOT_CHECKED, f"a part was left out: {parts}", _line(record.left_out[0].remedy)
    if not record.looked_at and not record.numbers:
        return (
            Verdict.ERROR,
            "passed without a population: nothing was looked at",
            "call control.population in the test",
        )
    return Verdict.PASS, _line("; ".join(record.basis)), ""


def _joined(reason: str, unread: Sequence[Unread]) -> str:
    return f"{reason}, and {_unread(unread)}" if unread else reason


def _unread(unread: Sequence[Unread]) -> str:
    """Return how much could not be read, and why the first of it."""
    return f"{_count(len(unread), 'thing')} could not be read: {unread[0].ref}: {_line(unread[0].why)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _why(record: Record, problem: BaseException | None) -> str:
    first = _line(str(problem).partition("\n")[0]) if isinstance(problem, AssertionError) else ""
    if first and not first.startswith("assert "):
        return first
    if record.found:
        return f"{_count(len({one.ref for one in record.found}), 'offender')}, {record.looked_at} looked at"
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
