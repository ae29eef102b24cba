"""The pytest plugin: options, fixtures, and what pytest tells us turned into records.

It sleeps outside `acceptance/`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import allure
import pytest

from assay.errors import AssayError, AssumptionError, GuardError, ProfileError
from assay.model import Control, Record, Tier, Verdict
from assay.proof.plant import Plant
from assay.proof.violation import Violation
from assay.run.detection import Planted, is_named, is_plant, violation_text, why_not_caught
from assay.run.evidence import Judgement
from assay.run.gate import UNUSABLE
from assay.run.progress import Progress, earlier
from assay.run.session import RunOptions, Session, start
from assay.run.verdict import judgement_of, redact_errors, report_error
from assay.stack import Stack


RECORD = pytest.StashKey[Record]()
PLANTED = pytest.StashKey[tuple[Plant, Planted, str]]()
JUDGED = pytest.StashKey[Judgement]()
STARTED = pytest.StashKey[float]()
SESSION = pytest.StashKey[Session]()
FORBIDDEN = ("xfail", "skip", "skipif", "flaky", "repeat")
TIERS = tuple(str(tier) for tier in Tier)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("assay", "acceptance of a platform")
    group.addoption("--stack", metavar="FILE", help="stack profile; else ASSAY_STACK, else the running lab's")
    group.addoption(
        "--tier", action="append", default=[], choices=TIERS, help="judge this tier only; repeatable"
    )
    group.addoption(
        "--control", action="append", default=[], metavar="ID", help="judge this control only; repeatable"
    )
    group.addoption(
        "--prove", action="store_true", help="plant every violation: its test must go red and name it"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and, for a run of `acceptance/`, the rest of the plugin.

    Raises:
        pytest.UsageError: catalogue, profile or options cannot be used; exit 4.
    """
    config.addinivalue_line("markers", "control(id, tier=None): the control that a test judges")
    for tier in TIERS:
        config.addinivalue_line("markers", f"{tier}: set on the tests of that tier")
    if not _aimed(config):
        return
    for family in sorted(path.name for path in (config.rootpath / "policies").glob("*/")):
        config.addinivalue_line("markers", f"{family}: set on the tests of that family of controls")
    try:
        session = start(_wish(config))
    except AssayError as problem:
        raise pytest.UsageError(str(problem)) from problem
    if config.getoption("reruns", None):
        raise pytest.UsageError("--reruns hides violations: the last attempt would win - leave it out")
    config.stash[SESSION] = session
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "no"
    config.option.reportchars = ""
    config.pluginmanager.register(CasePlugin(config, session), "assay-judge")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ResultWriter(config, session), "assay-keeper")


def _aimed(config: pytest.Config) -> bool:
    """Return True if the command line names `acceptance/` or something in it."""
    home = config.rootpath / "acceptance"
    paths = [(config.invocation_params.dir / str(arg).split("::")[0]).resolve() for arg in config.args]
    return home.is_dir() and any(path.is_relative_to(home) for path in paths)


def _wish(config: pytest.Config) -> RunOptions:
    reports = Path(os.environ.get("ASSAY_REPORTS") or config.rootpath / "reports")
    return RunOptions(
        root=config.rootpath,
        reports=reports,
        stack=config.getoption("stack"),
        tiers=tuple(config.getoption("tier")),
        controls=tuple(config.getoption("control")),
        prove=config.getoption("prove"),
        workers=bool(config.getoption("numprocesses", 0)),
        collect_only=config.option.collectonly,
    )


def _pair(item: pytest.Item) -> tuple[str, Tier]:
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
        self.looked_at_by_all: Stack | None = None
        self.loud = config.option.tbstyle != "no"  # --tb: somebody wants the tracebacks, values and all

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what is selected, static before live before load before drill; refuse what hides a failure."""
        chosen = [item for item in items if _pair(item) in self.session.selection.pairs]
        self.config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        for item in chosen:
            control, tier = _pair(item)
            for forbidden in FORBIDDEN:
                if item.get_closest_marker(forbidden):
                    raise pytest.UsageError(
                        f"{item.nodeid}: {forbidden} hides a failure - use a waiver in the profile"
                    )
            item.add_marker(str(tier))
            item.add_marker(control.split("-")[0].lower())
        items[:] = sorted(chosen, key=lambda item: TIERS.index(_pair(item)[1]))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Multiply a test by the violations that it must catch."""
        if not self.session.wish.prove:
            return
        violations = self.session.violations.get(_pair(metafunc.definition), ())
        metafunc.parametrize("planted", violations, ids=[one.name for one in violations], indirect=True)

    @pytest.fixture(autouse=True)
    def planted(self, request: pytest.FixtureRequest) -> Iterator[object]:
        """Plant the violation of this case and undo it afterwards; nothing where nothing is to be proved."""
        violation: Violation | None = getattr(request, "param", None)
        if violation is None:
            yield None
            return
        plant = Plant(self.session.needed(), self.session.run)
        with self._quiet(), violation.planted(plant) as planted:
            if not is_plant(planted):
                raise GuardError(f"{violation.name}: nothing was planted", "yield a Named or a Breach")
            request.node.stash[PLANTED] = (plant, planted, violation.name)
            yield planted

    @pytest.fixture
    def stack(self, request: pytest.FixtureRequest, planted: object) -> Stack:
        """Return the stack under judgement, read-only; a fresh one where something is planted."""
        if planted is not None:
            plant, _, _ = request.node.stash[PLANTED]
            return Stack(self.session.needed(), plant.paths)
        self.looked_at_by_all = self.looked_at_by_all or Stack(self.session.needed())
        return self.looked_at_by_all

    @pytest.fixture
    def control(self, request: pytest.FixtureRequest) -> Record:
        """Return the record of the control that the test judges."""
        record: Record = request.node.stash[RECORD]
        return record

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin the record, and tell Allure which case this is."""
        control, tier = _pair(item)
        item.stash[STARTED] = time.time()
        item.stash[RECORD] = Record(self._control(control), self.session.needed().override(control))
        allure.dynamic.parameter("case", item.nodeid)
        allure.dynamic.epic(control.split("-")[0])
        allure.dynamic.feature(control)
        labels = {"tier": str(tier), "run": self.session.run, "owner": self._control(control).owner}
        for label, value in {"control": control, **labels}.items():
            allure.dynamic.label(label, value)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_fixture_setup(self) -> Generator[None, object, object]:
        """Redact the messages of third-party exceptions in the reports."""
        with self._quiet():
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
        if self.session.ledger is not None:
            self.session.keep(self._judged(item, AssumptionError(*words)).row())

    def _ending(self, found: Judgement, problem: BaseException | None) -> BaseException | None:
        """Return what a case ends with for pytest and its reports, None where it passed."""
        prove = self.session.wish.prove
        if prove and (why := why_not_caught(found)):
            return AssertionError(why)
        if found.verdict == Verdict.PASS or (prove and found.caught):
            return None
        if found.verdict == Verdict.NOT_CHECKED and not prove:
            return pytest.skip.Exception(found.reason)
        return self._told(found, problem)

    def _told(self, found: Judgement, problem: BaseException | None) -> BaseException:
        return problem if self.loud and problem is not None else report_error(found, problem)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send the judgement along with the report, so that the controlling process can write it."""
        problem = call.excinfo.value if call.excinfo is not None else None
        found = item.stash.get(JUDGED, None) if call.when == "call" else None
        if call.when != "call" and problem is not None and not isinstance(problem, KeyboardInterrupt):
            reason = _unprepared(problem, str(call.when))
            # What the test found was judged when it was called; this is about what came before or after.
            item.stash[RECORD] = replace(item.stash[RECORD], found=[], gaps=[])
            found = self._judged(item, reason)
            call.excinfo = pytest.ExceptionInfo.from_exception(
                self._told(found, reason).with_traceback(problem.__traceback__)
            )
        report = yield
        if found is not None:
            report.outcome = report.outcome if call.when == "call" else "failed"
            vars(report)["assay"] = found.row()
        return report

    def _judged(self, item: pytest.Item, problem: BaseException | None) -> Judgement:
        record, (_, tier) = item.stash[RECORD], _pair(item)
        _, planted, violation = item.stash.get(PLANTED, (None, None, ""))
        found = judgement_of(record, problem, tier, item.nodeid, item.stash[STARTED])
        caught = found.verdict == Verdict.FAIL and planted is not None
        return self.session.judge_waiver(
            replace(
                found,
                violation=violation or _violation(item),
                planted=violation_text(planted) if planted is not None else "",
                caught=caught,
                named=caught and planted is not None and is_named(record, planted),
            )
        )

    def _quiet(self) -> AbstractContextManager[None]:
        return nullcontext() if self.loud else redact_errors()

    def _control(self, name: str) -> Control:
        return self.session.catalogue.controls[name]


class ResultWriter:
    """Runs in the controlling process only: writes the records, prints the summary, sets the exit code."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        """Keep the records of `session`."""
        self.config = config
        self.session = session
        self.collected: set[tuple[str, Tier]] | None = None
        self.pace = Progress({}, ())
        self.unusable = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Take the stack and open the ledger.

        Raises:
            pytest.UsageError: a guard refused; exit 4.
        """
        if self.session.wish.collect_only:
            return
        try:
            self.session.open()
        except (GuardError, ProfileError) as problem:
            raise pytest.UsageError(str(problem)) from problem

    def pytest_report_header(self) -> list[str]:
        """Return the first lines: which stack, and how much of its scope."""
        only = self.session.wish.collect_only
        return ["assay: collecting only, no stack is touched"] if only else self.session.header()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember that a test could not be read."""
        self.unusable = self.unusable or report.failed

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what will run; while only collecting, list it."""
        if session.items:
            self.collected = {_pair(item) for item in session.items}
            self._expect([item.nodeid for item in session.items])
        if self.session.wish.collect_only:
            for line in self.session.listing(_pair(item) for item in session.items):
                self._write(line)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Note what the workers will run."""
        paths = {
            (self.config.rootpath / Path(name.split("::")[0]), name.split("::")[-1].split("[")[0])
            for name in ids
        }
        self.collected = {
            (case.control, case.tier)
            for case in self.session.catalogue.cases
            if (case.path, case.function) in paths
        }
        self._expect(ids)

    def _expect(self, ids: Sequence[str]) -> None:
        if self.session.ledger is not None:
            lanes = int(self.config.getoption("numprocesses", None) or 1)
            self.pace = Progress(earlier(self.session.ledger.path.parent), ids, lanes)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Leave the letter of a judgement out: a line of its own says what came of it."""
        return (report.outcome, "", "") if getattr(report, "assay", None) is not None else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Put a judgement on disk as it comes."""
        row = getattr(report, "assay", None)
        if row is not None:
            self.session.keep(row)
            self._write(self.pace.line(row))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int
    ) -> Generator[None, object, object]:
        """Print the summary and the gate line last of all, and set the exit code by our record."""
        result = yield
        if self.session.wish.collect_only or (self.session.ledger is None):
            return result
        self.session.narrow(self.collected or ())
        lines = [] if self.session.part else ["", *self.session.lines(), "", self.session.files(), ""]
        for line in [*lines, self.session.line()]:
            self._write(line)
        self.session.close()
        if exitstatus not in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR) or self.unusable:
            session.exitstatus = UNUSABLE if self.unusable else self.session.code()
        return result

    def _write(self, line: str) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False  # what is written here says itself what it is of
            reporter.write_line(line)


def _unprepared(problem: BaseException, when: str) -> BaseException:
    """Return what a failed setup or teardown is: always an ERROR, never a FAIL."""
    if isinstance(problem, AssertionError | pytest.skip.Exception):
        return AssumptionError(
            f"the test's {when} ended with {type(problem).__name__}", "only the test itself may judge"
        )
    return problem


def _violation(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    planted = call.params.get("planted") if call is not None else None
    return planted.name if isinstance(planted, Violation) else ""
