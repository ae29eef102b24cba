"""What the controlling process of a run does: records on disk, the summary, the exit code."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from assay.errors import GuardError, ProfileError
from assay.model import Tier
from assay.run.cases import JUDGEMENT, case_of
from assay.run.entries import Judgement
from assay.run.gate import UNUSABLE
from assay.run.progress import Progress, earlier
from assay.run.session import Session


class ResultWriter:
    """Writes the records, prints the summary and sets the exit code, in the controlling process only."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        """Keep the records of `session`."""
        self.config = config
        self.session = session
        self.collected: set[tuple[str, Tier]] | None = None
        self.progress = Progress({}, ())
        self.unusable = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Lock the stack and open the evidence log.

        Raises:
            pytest.UsageError: a guard refused; exit 4.
        """
        if self.session.options.collect_only:
            return
        try:
            self.session.open()
        except (GuardError, ProfileError) as problem:
            raise pytest.UsageError(str(problem)) from problem

    def pytest_report_header(self) -> list[str]:
        """Return the first lines: which stack, and how much of its scope."""
        only = self.session.options.collect_only
        return ["assay: collecting only, no stack is touched"] if only else self.session.header()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember that a test could not be read."""
        self.unusable = self.unusable or report.failed

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what will run; while only collecting, list it."""
        if session.items:
            self._expect({case_of(item) for item in session.items}, [item.nodeid for item in session.items])
        if self.session.options.collect_only:
            for item in session.items:
                self._write(self._listed(item))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Note what the workers will run."""
        paths = {
            (self.config.rootpath / Path(name.split("::")[0]), name.split("::")[-1].split("[")[0])
            for name in ids
        }
        cases = self.session.catalogue.cases
        self._expect({(one.control, one.tier) for one in cases if (one.path, one.function) in paths}, ids)

    def _expect(self, pairs: set[tuple[str, Tier]], ids: Sequence[str]) -> None:
        """Note what will run, and put it on disk before it does."""
        self.collected = pairs
        if self.session.log is not None:
            workers = int(self.config.getoption("numprocesses", None) or 1)
            self.progress = Progress(earlier(self.session.log.path.parent), ids, workers)
            self.session.narrow(pairs)
            self.session.begin()

    def _listed(self, item: pytest.Item) -> str:
        name, tier = case_of(item)
        known = self.session.catalogue.controls[name]
        return f"{name:8} {tier:7} {known.owner:14} {known.statement}"

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Leave the letter of a judgement out: a line of its own says what came of it."""
        return (report.outcome, "", "") if JUDGEMENT in vars(report) else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Put a judgement on disk as it comes."""
        found: Judgement | None = vars(report).get(JUDGEMENT)
        if found is not None:
            self.session.keep(found)
            self._write(self.progress.line(found))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int
    ) -> Generator[None, object, object]:
        """Print the summary and the gate line last of all, and set the exit code by our record."""
        result = yield
        if self.session.options.collect_only or self.session.log is None:
            return result
        self.session.narrow(self.collected or ())
        lines = [] if self.session.is_chained else ["", *self.session.lines(), ""]
        ended = exitstatus not in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
        self.session.finish(interrupted=not ended)
        lines += [] if self.session.is_chained else [self.session.where(), ""]
        for line in [*lines, self.session.line()]:
            self._write(line)
        if ended or self.unusable:
            session.exitstatus = UNUSABLE if self.unusable else self.session.code()
        return result

    def _write(self, line: str) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False  # each line written here names its control
            reporter.write_line(line)
