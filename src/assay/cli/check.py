"""`assay check` and `assay prove`: judge a stack, and prove that each control sees what breaks it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from assay.cli.child import pytest_command, wait_for
from assay.effect import Effect
from assay.errors import AssayError
from assay.model import Tier
from assay.run.again import join
from assay.run.gate import GREEN, RED, UNSURE, UNUSABLE
from assay.run.options import RunOptions
from assay.run.progress import LATER, earlier, expected_seconds
from assay.run.session import Session
from assay.run.start import start


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
@click.option(
    "--again", is_flag=True, help="only what was not green in the last run, which this one completes"
)
def check_command(
    stack: str | None,
    tiers: tuple[str, ...],
    controls: tuple[str, ...],
    jobs: int,
    drill: str,
    allow: tuple[str, ...],
    *,
    again: bool,
) -> None:
    """Judge a stack in one run, with one verdict: static and live together, then load, then drills."""
    root = Path.cwd()
    reports = Path(os.environ.get("ASSAY_REPORTS") or root / "reports")
    try:
        session = start(RunOptions(root, reports, stack, tiers, controls, drill=drill, allow=allow))
        if again:
            folder = session.evidence.parent
            session.selection, session.earlier = join(
                session.catalogue, session.needed(), session.selection, folder
            )
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
    click.echo("\n".join(session.header()))
    session.open_evidence()
    session.begin()
    try:
        usable = _run_parts(session, jobs)
    except SystemExit:
        session.adopt()
        session.finish(interrupted=True)
        raise
    session.adopt()
    lines, last = session.lines(), session.line()
    session.finish(interrupted=not usable)
    click.echo("\n".join(["", *lines, "", session.where(), "", last]))
    return session.code() if usable else UNUSABLE


def _run_parts(session: Session, jobs: int) -> bool:
    """Run what is to be judged, part by part; return whether every part could be."""
    pairs = session.earlier.again if session.earlier else session.selection.pairs
    known, left = earlier(session.evidence.parent), {tier for _, tier in pairs}
    usable = bool(pairs or session.selection.left_out) or session.earlier is not None
    for name, part in PARTS.items():
        wanted = {(control, tier) for control, tier in pairs if tier in part}
        left.difference_update(part)
        if wanted:
            code = _run_part(wanted, session, jobs if name == "read" else 0, expected_seconds(known, left))
            if code not in (GREEN, RED, UNSURE):
                usable = False
                how = f"signal {-code}" if code < 0 else f"code {code}"
                click.echo(f"the part of tier {name} ended with {how}: its verdicts are missing", err=True)
    return usable


def _run_part(pairs: set[tuple[str, Tier]], session: Session, jobs: int, later: float) -> int:
    options = session.options
    tiers = sorted({str(tier) for _, tier in pairs})
    command = pytest_command(str(session.needed().file), tiers, options.controls)
    if session.earlier:
        command += [word for control, tier in sorted(pairs) for word in ("--case", f"{control}:{tier}")]
    command += ["-n", str(jobs)] if jobs > 1 else []
    command += ["--drill", options.drill] if options.drill else []
    command += [word for effect in options.allow for word in ("--allow", effect)]
    return wait_for(
        command, {"ASSAY_RUN": session.run, "ASSAY_REPORTS": str(options.reports), LATER: str(later)}
    )
