"""`assay report` and `assay verify`: what earlier runs left, to look at and to check."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from assay.errors import AssayError
from assay.model import Verdict
from assay.run.allure_report import agree, generate
from assay.run.evidence import read_lines, verify


@click.command(name="report", epilog="Example: assay report && xdg-open reports/allure-report/index.html")
def report_command() -> None:
    """Make reports/allure-report from the last run, and check that it shows what was recorded."""
    reports = Path(os.environ.get("ASSAY_REPORTS") or Path.cwd() / "reports")
    try:
        run = json.loads((reports / "verdicts.json").read_text(encoding="utf-8"))["run"]
        lines = read_lines(reports / "evidence" / f"{run}.jsonl")
        page = generate(reports / "allure-results", reports / "allure-report")
        recorded = [(str(line["control"]), Verdict(line["verdict"])) for line in lines]
        agree(reports / "allure-report", recorded, run)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        why = f"no run to report: {type(problem).__name__} - run make accept first"
        raise click.ClickException(why) from problem
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"report: {page}")


@click.command(name="verify", epilog="Example: assay verify reports/evidence/*.jsonl")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def verify_command(files: tuple[Path, ...]) -> None:
    """Check the hash chain of evidence FILES and print the hash of each one's last line."""
    for path in files:
        try:
            count, head = verify(read_lines(path))
        except AssayError as problem:
            raise click.ClickException(f"{path.name}: {problem}") from problem
        click.echo(f"{path.name}: {count} lines, unbroken, head {head}")
