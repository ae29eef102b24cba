"""What the controlling process of a run does: records on disk, the summary, the exit code."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from assay.errors import GuardError, ProfileError
from assay.model import Tier
from assay.run.cases import JUDGEMENT, case_of
from assay.run.evidence import Judgement
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
            self.collected = {case_of(item) for item in session.items}
            self._expect([item.nodeid for item in session.items])
        if self.session.options.collect_only:
            for line in self.session.listing(case_of(item) for item in session.items):
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
        if self.session.log is not None:
            lanes = int(self.config.getoption("numprocesses", None) or 1)
            self.progress = Progress(earlier(self.session.log.path.parent), ids, lanes)

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
        if self.session.options.collect_only or (self.session.log is None):
            return result
        self.session.narrow(self.collected or ())
        lines = [] if self.session.is_chained else ["", *self.session.lines(), "", self.session.files(), ""]
        for line in [*lines, self.session.line()]:
            self._write(line)
        self.session.close()
        if exitstatus not in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR) or self.unusable:
            session.exitstatus = UNUSABLE if self.unusable else self.session.code()
        return result

    def _write(self, line: str) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False  # each line written here names its control
            reporter.write_line(line)
