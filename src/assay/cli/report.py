"""`assay report`, `assay diff`, `assay verify`: what earlier runs left, to look at, compare and check."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import click

from assay.catalogue import load_catalogue
from assay.errors import AssayError
from assay.run.allure_report import agree, generate
from assay.run.allure_results import write_results
from assay.run.diff import compare_runs
from assay.run.evidence import read_lines, verify
from assay.run.outcome import case_outcome
from assay.run.past import find_run
from assay.run.requests import requests_lines, requests_of
from assay.run.views import trend


def reports_folder() -> Path:
    """Return the folder that output goes to."""
    return Path(os.environ.get("ASSAY_REPORTS") or Path.cwd() / "reports")


@click.command(name="report", epilog="Example: assay report && xdg-open reports/allure-report/index.html")
@click.argument("run", required=False)
def report_command(run: str | None) -> None:
    """Make reports/allure-report from the evidence of RUN (default: the last one); check that they agree."""
    reports = reports_folder()
    try:
        outcome = case_outcome(
            find_run(reports / "evidence", run or _last(reports)), load_catalogue(Path.cwd())
        )
        shutil.rmtree(reports / "allure-results", ignore_errors=True)
        write_results(reports / "allure-results", outcome, trend(reports, outcome))
        page = generate(reports / "allure-results", reports / "allure-report")
        agree(reports / "allure-report", outcome)
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"report: {page}")


def _last(reports: Path) -> str:
    try:
        return str(json.loads((reports / "verdicts.json").read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise AssayError("there is no last run", "run assay check first, or name a run") from problem


@click.command(name="requests", epilog="Example: assay requests 20261128t")
@click.argument("run", required=False)
def requests_command(run: str | None) -> None:
    """Say what RUN (default: the last one) sent to the platform, by system, effect, verb and resource.

    Exit 0: nothing but reads and dry runs; 1: something that may have changed the platform; 4: the run cannot
    be read. The same is in reports/RUN.requests.json, and the run's id in the user agent of each request.
    """
    reports = reports_folder()
    try:
        past = find_run(reports / "evidence", run or _last(reports))
    except AssayError as problem:
        click.echo(f"ERROR: {problem}", err=True)
        sys.exit(4)
    click.echo("\n".join(requests_lines(past)))
    sys.exit(1 if any(one.changes for one in requests_of(past)) else 0)


@click.command(name="diff", epilog="Example: assay diff 20261127t 20261128t")
@click.argument("before")
@click.argument("after")
def diff_command(before: str, after: str) -> None:
    """Say which controls turned from run BEFORE to run AFTER, by owner: run ids (or how one begins) or files.

    Exit 0: nothing turned for the worse; 1: something did; 4: a run cannot be read.
    """
    folder = reports_folder() / "evidence"
    try:
        catalogue = load_catalogue(Path.cwd())
        runs = [case_outcome(find_run(folder, name), catalogue) for name in (before, after)]
    except AssayError as problem:
        click.echo(f"ERROR: {problem}", err=True)
        sys.exit(4)
    found = compare_runs(*runs)
    click.echo("\n".join(found.lines))
    sys.exit(found.code)


@click.command(name="verify", epilog="Example: assay verify reports/evidence/*.jsonl")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--head", help="the hash that the run printed last; only with one file")
def verify_command(files: tuple[Path, ...], head: str | None) -> None:
    """Check the hash chain of evidence FILES from the first record to the closing one; print its last hash.

    A chain alone can be forged as a whole: compare the hash with one that was kept elsewhere, or give it.
    """
    if head and len(files) != 1:
        raise click.UsageError("--head goes with one file")
    for path in files:
        try:
            chain = verify(read_lines(path))
        except AssayError as problem:
            raise click.ClickException(f"{path.name}: {problem}") from problem
        if not chain.closed:
            raise click.ClickException(
                f"{path.name}: cut off after {chain.count} lines: no closing record - "
                "the run was killed, or its last lines were removed; judge again"
            )
        if head and chain.head != head:
            raise click.ClickException(
                f"{path.name}: its last hash is {chain.head} - it is not the file of that run"
            )
        click.echo(f"{path.name}: {chain.count} lines, complete, unbroken, head {chain.head}")
