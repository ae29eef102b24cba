"""`assay check` and `assay prove`: judge a stack, and prove that each control sees what breaks it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from assay.cli.child import pytest_command, wait_for
from assay.errors import AssayError
from assay.model import Effect, Tier
from assay.run.gate import UNUSABLE
from assay.run.progress import LATER, earlier, expected
from assay.run.session import RunOptions, Session, start


# What runs together: reading tiers side by side, then load, then drills, each alone.
PARTS = {"read": (Tier.STATIC, Tier.LIVE), "load": (Tier.LOAD,), "drill": (Tier.DRILL,)}
STACK = click.option("--stack", help="stack profile; else ASSAY_STACK, else the running lab's")
TIER = click.option(
    "--tier", "tiers", multiple=True, type=click.Choice([str(tier) for tier in Tier]),
    help="this tier only; repeatable",
)  # fmt: skip
CONTROL = click.option(
    "--control", "controls", multiple=True, metavar="ID", help="this control only; repeatable"
)


@click.command(name="check", epilog="Example: assay check --stack stacks/mine.local.toml --control SEC-27")
@STACK
@TIER
@CONTROL
@click.option("--jobs", default=2, show_default=True, help="processes for the tiers static and live")
@click.option("--drill", default="", metavar="NAME", help="of the drills run this one only")
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice([str(effect) for effect in Effect]),
    help="the biggest effect on the platform that is allowed, each includes the smaller ones; repeatable; "
    "default: [allow] of the profile, outside a lab reads and dry-run",
)
def check_command(
    stack: str | None,
    tiers: tuple[str, ...],
    controls: tuple[str, ...],
    jobs: int,
    drill: str,
    allow: tuple[str, ...],
) -> None:
    """Judge a stack in one run, with one verdict: static and live together, then load, then drills."""
    root = Path.cwd()
    reports = Path(os.environ.get("ASSAY_REPORTS") or root / "reports")
    try:
        session = start(RunOptions(root, reports, stack, tiers, controls, drill=drill, allow=allow))
        code = _check(session, jobs)
    except AssayError as problem:
        click.echo(f"ERROR: {problem}", err=True)
        code = UNUSABLE
    sys.exit(code)


@click.command(name="prove", epilog="Example: assay prove --control SEC-27")
@STACK
@TIER
@CONTROL
def prove_command(stack: str | None, tiers: tuple[str, ...], controls: tuple[str, ...]) -> None:
    """Plant every violation on a lab: its control must turn red and name it. The same as pytest --prove."""
    command = [*pytest_command(stack or "", tiers, controls), "--prove"]
    sys.exit(wait_for(command, {}))


def _check(session: Session, jobs: int) -> int:
    reports = session.options.reports
    shutil.rmtree(reports / "allure-results", ignore_errors=True)
    known, left = earlier(reports / "evidence"), {tier for _, tier in session.selection.pairs}
    codes = []
    for name, part in PARTS.items():
        wanted = [tier for tier in part if tier in left]
        left.difference_update(part)
        if wanted:
            later = expected(known, left)
            codes.append(_run_part(name, wanted, session, jobs if name == "read" else 0, later))
    if UNUSABLE in codes or not (codes or session.selection.left_out):
        return UNUSABLE
    session.adopt(reports / "evidence" / f"{session.run}.jsonl")
    click.echo("\n".join(["", *session.lines(), "", session.files(), "", session.line()]))
    session.close()
    return session.code()


def _run_part(name: str, tiers: list[Tier], session: Session, jobs: int, later: float) -> int:
    reports = session.options.reports
    command = pytest_command(str(session.needed().file), tiers, session.options.controls)
    command += [f"--alluredir={reports / 'allure-results'}", f"--junitxml={reports / f'junit-{name}.xml'}"]
    command += ["-n", str(jobs)] if jobs > 1 else []
    command += ["--drill", session.options.drill] if session.options.drill else []
    command += [word for effect in session.options.allow for word in ("--allow", effect)]
    code = wait_for(command, {"ASSAY_RUN": session.run, "ASSAY_REPORTS": str(reports), LATER: str(later)})
    return code if code in (0, 1, 10) else UNUSABLE
