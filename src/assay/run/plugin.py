"""The pytest plugin: its options, and what it adds to a run of `acceptance/`.

Any other run of pytest is left alone, and pays nothing for the plugin but this module.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay.effect import Effect
from assay.errors import AssayError
from assay.model import Tier


TIERS = tuple(str(tier) for tier in Tier)
EFFECTS = tuple(str(effect) for effect in Effect)


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
        "--case", action="append", default=[], metavar="ID:TIER", help="judge this case only; repeatable"
    )
    group.addoption("--drill", default="", metavar="NAME", help="run this drill only, whatever else is due")
    group.addoption(
        "--allow", action="append", default=[], choices=EFFECTS, metavar="EFFECT",
        help=f"the biggest effect on the platform that is allowed: {', '.join(EFFECTS)}; each includes the "
        "smaller ones; repeatable; default: [allow] of the profile, outside a lab reads and dry-run",
    )  # fmt: skip
    group.addoption(
        "--prove", action="store_true", help="plant every violation: its test must go red and name it"
    )


@pytest.hookimpl(tryfirst=True)
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
    if config.getoption("reruns", None):
        raise pytest.UsageError("--reruns hides violations: the last attempt would win - leave it out")
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "no"
    config.option.reportchars = ""
    _start(config)


def _start(config: pytest.Config) -> None:
    """Register what judges and what writes; only here are the probes and their clients imported."""
    from assay.run.cases import SESSION, CasePlugin
    from assay.run.options import RunOptions
    from assay.run.start import start
    from assay.run.writer import ResultWriter

    options = RunOptions(
        root=config.rootpath,
        reports=Path(os.environ.get("ASSAY_REPORTS") or config.rootpath / "reports"),
        stack=config.getoption("stack"),
        tiers=tuple(config.getoption("tier")),
        controls=tuple(config.getoption("control")),
        cases=tuple(config.getoption("case")),
        prove=config.getoption("prove"),
        drill=config.getoption("drill"),
        allow=tuple(config.getoption("allow")),
        workers=bool(config.getoption("numprocesses", 0)),
        collect_only=config.option.collectonly,
        junit=_taken(config, "xmlpath"),
        allure=_taken(config, "allure_report_dir"),
    )
    try:
        session = start(options)
    except AssayError as problem:
        raise pytest.UsageError(str(problem)) from problem
    config.stash[SESSION] = session
    config.pluginmanager.register(CasePlugin(config, session), "assay-cases")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ResultWriter(config, session), "assay-writer")


def _taken(config: pytest.Config, option: str) -> Path | None:
    """Return the path that an option of another plugin gives, and take it: that plugin then writes nothing.

    JUnit and Allure are views of our record, one row per control, and not of pytest's tests. A proof has no
    such rows: pytest reports its cases, one per violation.
    """
    path: str | None = getattr(config.option, option, None)
    if path is None or config.getoption("prove"):
        return None
    setattr(config.option, option, None)
    return Path(config.invocation_params.dir) / path


def _aimed(config: pytest.Config) -> bool:
    """Return True if the command line names `acceptance/` or something in it."""
    home = config.rootpath / "acceptance"
    paths = [(config.invocation_params.dir / str(arg).split("::")[0]).resolve() for arg in config.args]
    return home.is_dir() and any(path.is_relative_to(home) for path in paths)
