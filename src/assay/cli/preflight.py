"""`assay init` and `assay doctor`: a profile of one's own platform, and what it still lacks."""

from __future__ import annotations

import datetime
import json
import os
import sys
from contextlib import closing
from pathlib import Path

import click

from assay.cli.loading import load_or_exit
from assay.config.profile import Profile
from assay.errors import AssayError
from assay.preflight.checks import run_checks
from assay.preflight.doctor import diagnose, last_seconds, report_lines
from assay.preflight.init import compare_profile, create, discover
from assay.proof.left import left_plant, sweep_left
from assay.proof.plant import Plant
from assay.rights.needed import needed_rights
from assay.run.allowance import allowance_of
from assay.run.gate import UNUSABLE, select
from assay.run.stack_lock import StackLock
from assay.writers.lab import require_lab


PATH = click.Path(path_type=Path)


@click.command(
    "init",
    epilog="Example: assay init stacks/mine.local.toml --kubeconfig kubeconfig --checkout ../platform",
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--kubeconfig", type=PATH, envvar="KUBECONFIG", help="a read-only identity suffices")
@click.option("--talosconfig", type=PATH, envvar="TALOSCONFIG", help="endpoints are taken from it, no key")
@click.option("--checkout", type=PATH, default=".", help="the platform's repository")
def init_command(file: Path, kubeconfig: Path | None, talosconfig: Path | None, checkout: Path) -> None:
    """Write a commented profile to FILE from a kubeconfig, a talosconfig and a checkout of the platform.

    It reads only, and writes no secret. Where FILE exists nothing is written: what differs is shown.
    """
    try:
        found = discover(kubeconfig, talosconfig, checkout.absolute())
        example = (Path.cwd() / "stacks" / "example.toml").read_text(encoding="utf-8")
        lines = compare_profile(file, found) if file.exists() else create(file, example, found)
    except (AssayError, OSError) as problem:
        click.echo(f"ERROR: {problem}", err=True)
        sys.exit(UNUSABLE)
    click.echo("\n".join(lines))


@click.command("doctor", epilog="Example: assay doctor --stack stacks/mine.local.toml")
@click.option("--stack", help="stack profile; else ASSAY_STACK, else the running lab's")
@click.option("--json", "as_json", is_flag=True, help="print the diagnosis as JSON")
def doctor_command(stack: str | None, as_json: bool) -> None:
    """Try everything that a run needs, at once, and say for each control whether it can be judged.

    Exit 0: every control in scope can be judged; 10: something is missing; 4: the profile cannot be used.
    """
    catalogue, profile = load_or_exit(stack)
    click.echo("".join(f"assay: {line}\n" for line in sweep_lines(profile)), nl=False, err=True)
    reports = Path(os.environ.get("ASSAY_REPORTS") or catalogue.root / "reports")
    pairs = select(catalogue, profile).pairs
    effects = allowance_of(profile, (), datetime.datetime.now(datetime.UTC)).effects
    checks = run_checks(profile, needed_rights(catalogue, profile, pairs, effects))
    found = diagnose(catalogue, profile, checks, last_seconds(catalogue, reports / "evidence"))
    click.echo(json.dumps(found.as_json(), indent=1) if as_json else "\n".join(report_lines(found)))
    sys.stdout.flush()
    os._exit(found.code)  # a check that hangs must not hold the answer


def sweep_lines(profile: Profile) -> list[str]:
    """Sweep what a killed proof left in a lab, and return what was done; nothing is planted elsewhere."""
    left = left_plant(profile) if profile.is_lab else None
    if left is None:
        return []
    with closing(StackLock(profile)) as lock:
        if not lock.try_exclusive():
            return [f"planted: {left}; a run uses the stack, so it is left to that run"]
        try:
            require_lab(profile)
            return [f"swept {', '.join(sweep_left(Plant(profile)))}"]
        except AssayError as problem:
            return [f"{left}: not swept: {problem}"]
