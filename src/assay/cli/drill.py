"""`assay drill`: what the drills would break, run one, put back what one left."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from assay.catalogue import load_catalogue
from assay.drills.approval import NAMESPACE, approval_text, read_approval
from assay.drills.engine.engine import roll_back
from assay.drills.engine.standing import standing
from assay.drills.engine.watchdog import DRILL_MAX_S, TERM_GRACE_S, after
from assay.drills.permission import conditions
from assay.drills.restore.records import Records
from assay.drills.specs import DRILLS
from assay.effect import Effect
from assay.errors import AssayError
from assay.formats.signatures import sign_command
from assay.run.resolve import find_profile


STACK = click.option("--stack", help="stack profile; else ASSAY_STACK, else the running lab's")


@click.group(name="drill", epilog="Example: assay drill plan etcd")
def drill_command() -> None:
    """Restore and failure drills: what they would break, run one, put back what one left."""


@drill_command.command(epilog="Example: assay drill plan control-planes --stack stacks/mine.local.toml")
@click.argument("name", required=False, type=click.Choice(sorted(DRILLS)))
@STACK
def plan(name: str | None, stack: str | None) -> None:
    """Say what a drill breaks, how that is rolled back, and whether the stack is ready for it now."""
    for one, known in sorted(DRILLS.items()):
        if name in (None, one):
            click.echo(f"{one} ({known.control}, about {known.minutes} min)")
            click.echo(f"  impact:   {known.impact}\n  rollback: {known.rollback}")
    try:
        found = list(conditions(find_profile(stack), DRILLS[name] if name else None))
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    for what, why in found:
        click.echo(f"  {'NO' if why else 'ok':3} {what}{f': {why}' if why else ''}")
    sys.exit(1 if any(why for _, why in found) else 0)


@drill_command.command(
    epilog="Example: assay drill approve control-planes --begins 2026-12-01T02:00:00+01:00 "
    "--ends 2026-12-01T05:00:00+01:00 --approver ada@example.com --approver bob@example.com "
    "--reason quarterly --output approval.toml"
)
@click.argument("names", nargs=-1, required=True, type=click.Choice(sorted(DRILLS)), metavar="NAME...")
@STACK
@click.option("--begins", required=True, help="when the window opens, with its offset")
@click.option("--ends", required=True, help="when the window closes, with its offset")
@click.option("--approver", "approvers", multiple=True, required=True, help="who signs it; repeatable")
@click.option("--reason", required=True, help="why the stack is drilled")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="the file to write")
def approve(
    names: tuple[str, ...],
    stack: str | None,
    begins: str,
    ends: str,
    approvers: tuple[str, ...],
    reason: str,
    output: Path,
) -> None:
    """Write the approval of drills on a stack that is not a lab, for two people to sign."""
    try:
        profile = find_profile(stack)
        window = dt.datetime.fromisoformat(begins), dt.datetime.fromisoformat(ends)
        text = approval_text(profile.name, profile.cluster_uid, names, *window, approvers, reason)
        output.write_text(text, encoding="utf-8")
        approval = read_approval(output)
    except ValueError as problem:
        raise click.ClickException("a time is written as 2026-12-01T02:00:00+01:00") from problem
    except OSError as problem:
        raise click.ClickException(f"{output}: {problem.strerror}") from problem
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"{output} is to be signed by each of its approvers, with a key of their own:")
    for person in approval.approvers:
        click.echo(f"  {sign_command(output, person, NAMESPACE)}")
    click.echo("assay drill plan says what else is missing")


@drill_command.command(epilog="Example: assay drill run postgres --execute")
@click.argument("name", type=click.Choice(sorted(DRILLS)))
@click.option("--execute", is_flag=True, help="execute it; the default is a dry run that prints the plan")
@STACK
@click.pass_context
def run(context: click.Context, name: str, stack: str | None, *, execute: bool) -> None:
    """Execute a drill by the control that judges it, with evidence and a verdict."""
    from assay.cli.check import check_command  # it imports every probe, and the watchdog must start at once

    if not execute:
        click.echo("dry run, nothing is changed; add --execute to run the drill. The plan:")
        context.invoke(plan, name=name, stack=stack)
    else:
        context.invoke(
            check_command,
            stack=stack,
            tiers=("drill",),
            controls=(DRILLS[name].control,),
            jobs=1,
            drill=name,
            allow=(str(Effect.DISRUPTS),),
        )


@drill_command.command(epilog="Example: assay drill status")
@STACK
def status(stack: str | None) -> None:
    """Say how far the drills are: the stage, what is not rolled back, the next command."""
    try:
        found = standing(find_profile(stack))
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"{found.stage}{' (running)' if found.running else ''}")
    for undo in found.pending:
        click.echo(f"  not put back: {undo.ref}, for {found.seconds:.0f} s")
    if found.next:
        click.echo(f"  next: {found.next}")
    sys.exit(0 if not found.next else 1)


@drill_command.command(epilog="Example: assay drill capacity")
@STACK
def capacity(stack: str | None) -> None:
    """Say how each service was restored, and how large its data may grow within the recovery objective."""
    from assay.drills.restore.capacity import capacity_statement  # scipy takes seconds

    try:
        records = Records.from_profile(find_profile(stack))
        limits = load_catalogue(Path.cwd()).controls["ACC-07"].limits
        limit = next(one.value for one in limits if one.metric == "restore" and one.value is not None)
        for service in sorted(records.newest()):
            for one in records.of(service):
                click.echo(f"{service}: {one.data_bytes / 1e6:.3g} MB in {one.measured:.1f} s")
            words = capacity_statement(records.of(service), limit)
            click.echo(f"{service}: largest size in {limit:.0f} s: {words}")
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem


@drill_command.command(epilog="Example: assay drill rollback")
@STACK
@click.option("--after", "holder", metavar="PID:START", help="wait until this process has ended")
@click.option(
    "--limit", default=DRILL_MAX_S, show_default=True, help="seconds after which that process is asked to end"
)
@click.option(
    "--grace", default=TERM_GRACE_S, show_default=True, help="seconds that it then has to put things back"
)
def rollback(stack: str | None, holder: str | None, limit: float, grace: float) -> None:
    """Put back what a killed drill left; the watchdog of every drill is this command with --after."""
    try:
        profile = find_profile(stack)
        if holder:
            after(holder, limit, grace)
        for target in roll_back(profile):
            click.echo(f"back: {target}")
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo("nothing is left of a drill")
