"""The tests of `acceptance/` turned into judgements, in every process that runs tests."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pytest

from assay.effect import Effect
from assay.errors import AssumptionError, GuardError
from assay.gaps import gaps_of
from assay.model import Control, Record, Tier, Verdict
from assay.probes.guard import SENT
from assay.proof.left import LeftPlant, noted
from assay.proof.plant import Plant
from assay.proof.violation import Violation
from assay.run.detection import Expectation, expectation_text, is_expectation, is_named, why_not_caught
from assay.run.ending import Ending
from assay.run.entries import Judgement, entry_from
from assay.run.gate import UNUSABLE
from assay.run.options import say
from assay.run.session import Session
from assay.run.standins import with_standins
from assay.run.verdict import judgement_of, redact_errors, report_error
from assay.stack import STACKS, ReadStack


@dataclass(frozen=True, slots=True)
class StandingViolation:
    """A violation while it stands: its name, the plant it stands in, what the test must name."""

    name: str
    plant: Plant
    expectation: Expectation


SESSION = pytest.StashKey[Session]()
RECORD = pytest.StashKey[Record]()
STANDING = pytest.StashKey[StandingViolation]()
JUDGED = pytest.StashKey[Judgement]()
STARTED = pytest.StashKey[float]()
ASKED = pytest.StashKey[Set[str]]()  # the systems that a test asked
USED = pytest.StashKey[Mapping[str, object]]()  # what of the stack it used
JUDGEMENT = "assay_judgement"  # the attribute of a report that holds what the test came to
FORBIDDEN = ("xfail", "skip", "skipif", "flaky", "repeat")
TIERS = tuple(str(tier) for tier in Tier)


def case_of(item: pytest.Item) -> tuple[str, Tier]:
    """Return (control, tier) of a test.

    Raises:
        pytest.UsageError: the test names no control, or one without a policy.
    """
    session = item.config.stash[SESSION]
    mark = item.get_closest_marker("control")
    name = str(mark.args[0]) if mark is not None and mark.args else ""
    if mark is None or name not in session.catalogue.controls:
        raise pytest.UsageError(
            f"{item.nodeid}: names no control with a policy - mark it with pytest.mark.control"
        )
    tier = mark.args[1] if len(mark.args) > 1 else mark.kwargs.get("tier")
    return name, Tier(tier or session.catalogue.controls[name].tiers[-1])


class CasePlugin:
    """Runs where the tests run.

    Selects, plants, hands out fixtures, turns the end of a test into a judgement.
    """

    def __init__(self, config: pytest.Config, session: Session) -> None:
        """Judge for `session`."""
        self.config = config
        self.session = session
        self.ending: Ending | None = None
        self.shared_stacks: dict[tuple[Effect, Effect | None], ReadStack] = {}
        self.unredacted = config.option.tbstyle != "no"  # --tb asks for tracebacks, values and all

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Begin the time that this process, a worker or the one that controls them, has to end."""
        self.ending = Ending(lambda: int(session.exitstatus) if self.session.finished else UNUSABLE)

    def pytest_unconfigure(self) -> None:
        """Note that pytest is done with this process."""
        if self.ending is not None:
            self.ending.release()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what is selected, static before live before load before drill; refuse what hides a failure."""
        chosen = [item for item in items if case_of(item) in self.session.selection.pairs]
        self.config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        for item in chosen:
            control, tier = case_of(item)
            for forbidden in FORBIDDEN:
                if item.get_closest_marker(forbidden):
                    raise pytest.UsageError(
                        f"{item.nodeid}: {forbidden} hides a failure - use a waiver in the profile"
                    )
            item.add_marker(str(tier))
            item.add_marker(control.split("-")[0].lower())
        items[:] = sorted(chosen, key=lambda item: TIERS.index(case_of(item)[1]))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Multiply a test by the violations that it must catch."""
        if not self.session.options.prove:
            return
        violations = self.session.violations.get(case_of(metafunc.definition), ())
        metafunc.parametrize("violation", violations, ids=[one.name for one in violations], indirect=True)

    @pytest.fixture(autouse=True)
    def violation(self, request: pytest.FixtureRequest) -> Iterator[StandingViolation | None]:
        """Plant the violation of this case and undo it afterwards; nothing where nothing is to be proved."""
        one: Violation | None = getattr(request, "param", None)
        if one is None:
            yield None
            return
        profile, run = self.session.needed(), self.session.run
        plant, (control, tier) = Plant(profile, run), case_of(request.node)
        left = LeftPlant(run, control, one.name)
        # Files are planted in copies: a killed proof of the tier static leaves nothing.
        note = noted(profile, left) if tier is not Tier.STATIC else nullcontext()
        with self._redacting(), note, one.planted(plant) as expectation:
            if not is_expectation(expectation):
                raise GuardError(f"{one.name}: nothing was planted", "yield a Named or a Breach")
            request.node.stash[STANDING] = StandingViolation(one.name, plant, expectation)
            yield request.node.stash[STANDING]

    @pytest.fixture
    def stack(self, request: pytest.FixtureRequest, violation: StandingViolation | None) -> ReadStack:
        """Return the stack with the verbs of the effect that the policy declares for this tier, no more.

        One for all tests of an effect; a fresh one where something is planted.
        """
        name, tier = case_of(request.node)
        control, limits = self._control(name), self.session.limits
        kinds = control.effect(tier), control.further.get(tier)
        self.session.allowance.check(kinds[0], datetime.datetime.now(datetime.UTC))
        if violation is not None:
            view = STACKS[kinds[0]](self.session.needed(), violation.plant.paths, limits, kinds[1])
        else:
            if kinds not in self.shared_stacks:
                made = STACKS[kinds[0]](self.session.needed(), None, limits, kinds[1])
                self.shared_stacks[kinds] = made
            view = self.shared_stacks[kinds].view()
        request.node.stash[ASKED], request.node.stash[USED] = view.asked, view.used
        request.node.stash[RECORD].sources = view.used
        return view

    @pytest.fixture
    def control(self, request: pytest.FixtureRequest) -> Record:
        """Return the record of the control that the test judges."""
        record: Record = request.node.stash[RECORD]
        return record

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin the record."""
        control, _ = case_of(item)
        self.session.sent += SENT.take()
        item.stash[STARTED] = time.time()
        override = self.session.needed().override(control)
        item.stash[RECORD] = Record(self._control(control), override, listener=self._show_progress)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_fixture_setup(self) -> Generator[None, object, object]:
        """Redact the messages of third-party exceptions in the reports."""
        with self._redacting():
            return (yield)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, None]:
        """Judge how the test ended; in a proof, going red and naming what was planted is what passes."""
        outcome = yield
        problem = outcome.exception
        if isinstance(problem, KeyboardInterrupt | pytest.exit.Exception):
            self._interrupted(item)
            return
        if isinstance(problem, pytest.skip.Exception):
            problem = AssumptionError("the test skipped itself", "raise what stands in the way")
        item.stash[JUDGED] = found = self._judged(item, problem)
        if (ending := self._ending(found, problem)) is None:
            outcome.force_result(None)
        else:
            outcome.force_exception(ending)

    def _interrupted(self, item: pytest.Item) -> None:
        """Keep a judgement that says so: pytest makes no report of what a signal ended."""
        words = "was interrupted", "run it again; `assay drill status` says whether a drill left anything"
        if self.session.log is not None:
            self.session.keep(self._judged(item, AssumptionError(*words)))

    def _ending(self, found: Judgement, problem: BaseException | None) -> BaseException | None:
        """Return what a case ends with for pytest and its reports, None where it passed."""
        prove = self.session.options.prove
        if prove and (why := why_not_caught(found)):
            return AssertionError(why)
        if found.verdict == Verdict.PASS or (prove and found.caught):
            return None
        if found.verdict == Verdict.NOT_CHECKED and not prove:
            return pytest.skip.Exception(found.reason)
        return self._shown(found, problem)

    def _shown(self, found: Judgement, problem: BaseException | None) -> BaseException:
        return problem if self.unredacted and problem is not None else report_error(found, problem)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the judgement to the report, so that the controlling process can write it."""
        problem = call.excinfo.value if call.excinfo is not None else None
        found = item.stash.get(JUDGED, None) if call.when == "call" else None
        if call.when != "call" and problem is not None and not isinstance(problem, KeyboardInterrupt):
            reason = _unprepared(problem, str(call.when))
            # What the test found was judged when it was called; this is about what came before or after.
            item.stash[RECORD] = replace(item.stash[RECORD], found=[], gaps=[])
            found = self._judged(item, reason)
            call.excinfo = pytest.ExceptionInfo.from_exception(
                self._shown(found, reason).with_traceback(problem.__traceback__)
            )
        report = yield
        if found is not None:
            report.outcome = report.outcome if call.when == "call" else "failed"
            vars(report)[JUDGEMENT] = found
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(
        self, report: pytest.TestReport | pytest.CollectReport
    ) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
        """Give a judgement the form in which xdist can carry it to the controlling process."""
        data = yield
        found = vars(report).get(JUDGEMENT)
        return data if data is None or found is None else {**data, JUDGEMENT: dataclasses.asdict(found)}

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(
        self, data: dict[str, Any]
    ) -> Generator[None, pytest.TestReport | None, pytest.TestReport | None]:
        """Make a judgement of what xdist has carried."""
        report = yield
        if report is not None and data.get(JUDGEMENT) is not None:
            vars(report)[JUDGEMENT] = entry_from(data[JUDGEMENT])
        return report

    def _judged(self, item: pytest.Item, problem: BaseException | None) -> Judgement:
        record, (_, tier) = item.stash[RECORD], case_of(item)
        _note_gaps(record, item.stash.get(USED, dict[str, object]()).values())
        found = judgement_of(record, problem, tier, item.nodeid, item.stash[STARTED])
        found = replace(found, requests=SENT.take())
        found = with_standins(found, self.session.needed(), item.stash.get(ASKED, frozenset[str]()))
        standing = item.stash.get(STANDING, None)
        if standing is None:
            return self.session.with_waivers(replace(found, violation=_violation_name(item)))
        caught = found.verdict == Verdict.FAIL
        return replace(
            found,
            violation=standing.name,
            planted=expectation_text(standing.expectation),
            caught=caught,
            named=caught and is_named(record, standing.expectation),
        )

    def _show_progress(self, text: str) -> None:
        """Write a line for the person who waits, past pytest's capture."""
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            say(text)

    def _redacting(self) -> AbstractContextManager[None]:
        return nullcontext() if self.unredacted else redact_errors()

    def _control(self, name: str) -> Control:
        return self.session.catalogue.controls[name]


def _unprepared(problem: BaseException, when: str) -> BaseException:
    """Return what a failed setup or teardown is: always an ERROR, never a FAIL."""
    if isinstance(problem, AssertionError | pytest.skip.Exception):
        return AssumptionError(
            f"the test's {when} ended with {type(problem).__name__}", "only the test itself may judge"
        )
    return problem


def _violation_name(item: pytest.Item) -> str:
    """Return the name of the violation that a case is to prove, even where planting it failed."""
    call = getattr(item, "callspec", None)
    return str(getattr(call.params.get("violation"), "name", "")) if call is not None else ""


def _note_gaps(record: Record, used: Iterable[object]) -> None:
    """Note in the record what the readers that a test used did not read, so that it cannot come to PASS."""
    noted = {one.ref for one in record.gaps}
    for gaps in gaps_of(used):
        for part, problem in gaps.unread.items():
            if part not in noted:
                record.unread(part, problem)
        for key, words in gaps.notes():
            record.note(key, words)
