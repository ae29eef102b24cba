"""The command line: `assay check | docs | drill | new | report | verify`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import click

from assay.catalogue import CONTROL_ID, Catalogue, load_catalogue, names
from assay.config.profile import Profile
from assay.drills.engine.engine import roll_back, standing
from assay.drills.engine.watchdog import LIMIT, after
from assay.drills.registry import ASKED, DRILLS, conditions
from assay.errors import AssayError
from assay.model import Tier, Verdict
from assay.run import pages as generated
from assay.run.allure_report import agree, generate
from assay.run.detection import read_detections
from assay.run.evidence import judgement_from, read_lines, verify
from assay.run.gate import UNUSABLE, control_rows, exit_code, gate_line, select, waiver_findings
from assay.run.progress import LATER, earlier, expected
from assay.run.resolve import find_profile
from assay.run.session import new_run, today, write_verdicts
from assay.run.summary import summary


POLICY = """id = "{id}"
statement = "Say in one sentence what must hold."
source = "Section: the claim of the specification"
owner = "Whose it is"
tiers = ["live"]
effects = {{ live = "reads" }}
remedy = "Say what to do when it does not hold."
"""
TEST = '''"""{id}: say what must hold."""

from __future__ import annotations

import pytest

from assay.model import Record
from assay.stack import Stack


@pytest.mark.control("{id}")
def test_{word}(stack: Stack, control: Record) -> None:
    """Every thing of the population is as it must be."""
    things = control.population([stack.profile.name])
    control.offenders(things, "this test is not written yet")
    assert not control.found
'''
VIOLATION = '''"""{id}: say what is planted."""

from __future__ import annotations

from collections.abc import Iterator

from assay.proof.plant import Named, Plant
from assay.proof.violation import violation


@violation()
def broken(plant: Plant) -> Iterator[Named]:
    """Plant one thing that breaks the control."""
    yield Named(f"{{plant.run}}: nothing is planted yet")
'''


@click.group()
def main() -> None:
    """Accept a platform: judge it, document the controls, add one, verify evidence."""


@main.command()
@click.option("--stack", help="stack profile; else ASSAY_STACK, else the running lab's")
@click.option("--tier", "tiers", multiple=True, type=click.Choice([str(tier) for tier in Tier]))
@click.option("--control", "controls", multiple=True, metavar="ID")
@click.option("--jobs", default=2, show_default=True, help="processes for the tiers static and live")
def check(stack: str | None, tiers: tuple[str, ...], controls: tuple[str, ...], jobs: int) -> None:
    """Judge a stack in one run: static and live together, then load, then drills.

    One summary, one verdict.
    """
    root = Path.cwd()
    try:
        catalogue, profile = load_catalogue(root), find_profile(stack)
        code = _check(catalogue, profile, tiers, controls, jobs)
    except AssayError as problem:
        click.echo(f"ERROR: {problem}", err=True)
        code = UNUSABLE
    sys.exit(code)


def _check(
    catalogue: Catalogue, profile: Profile, tiers: tuple[str, ...], controls: tuple[str, ...], jobs: int
) -> int:
    run, reports = new_run(), Path(os.environ.get("ASSAY_REPORTS") or catalogue.root / "reports")
    selection = select(catalogue, profile, tiers, controls)
    shutil.rmtree(reports / "allure-results", ignore_errors=True)
    codes, known, tiers_left = [], earlier(reports / "evidence"), {tier for _, tier in selection.pairs}
    for name, part in (("read", (Tier.STATIC, Tier.LIVE)), ("load", (Tier.LOAD,)), ("drill", (Tier.DRILL,))):
        wanted = [tier for tier in part if tier in tiers_left]
        tiers_left.difference_update(part)
        later = expected(known, tiers_left)
        if wanted:
            lanes = jobs if name == "read" else 0
            codes.append(_part(name, wanted, profile, controls, run, reports, lanes, later))
    if not codes or max(codes) == UNUSABLE:
        return UNUSABLE
    path = reports / "evidence" / f"{run}.jsonl"
    judged = [judgement_from(line) for line in read_lines(path)] if path.exists() else []
    table = control_rows(catalogue, profile, selection, judged)
    remarks = waiver_findings(catalogue, profile, table, today())
    remarks += [f"stand-in: {one.part}: {one.reason}" for one in profile.standins]
    lines, line = summary(table, catalogue.findings, remarks), gate_line(table, selection)
    write_verdicts(reports, run, table, line, lines)
    click.echo("\n".join([*lines, "", f"evidence: {path}", "", line]))
    return exit_code(table)


def _part(
    name: str,
    tiers: list[Tier],
    profile: Profile,
    controls: tuple[str, ...],
    run: str,
    reports: Path,
    jobs: int,
    later: float,
) -> int:
    command = [sys.executable, "-m", "pytest", "acceptance", "--stack", str(profile.file)]
    command += [word for tier in tiers for word in ("--tier", str(tier))]
    command += [word for control in controls for word in ("--control", control)]
    command += [f"--alluredir={reports / 'allure-results'}", f"--junitxml={reports / f'junit-{name}.xml'}"]
    command += ["-n", str(jobs)] if jobs > 1 else []
    environment = {**os.environ, "ASSAY_RUN": run, "ASSAY_REPORTS": str(reports), LATER: str(later)}
    code = _waited_for(command, environment)
    return code if code in (0, 1, 10) else UNUSABLE


def _waited_for(command: list[str], environment: dict[str, str]) -> int:
    """Return the exit code of a run; interrupted, it is given all the time it needs to put things back.

    The run is a process group of its own: it is told once, whoever was told and how. An interrupted run ends
    this process with 128 and the number of the signal.
    """
    told: list[int] = []
    run = subprocess.Popen(command, env=environment, process_group=0)

    def tell(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        run.send_signal(number)

    heard = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, tell) for number in heard}
    try:
        code = run.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        click.echo("interrupted; what the run had changed was put back, or stands in assay drill status")
        sys.exit(128 + told[-1])
    return code


@main.command()
@click.option("--check", "only_check", is_flag=True, help="write nothing; exit 1 if a page is out of date")
@click.option(
    "--record", is_flag=True, help="take over reports/detections.json, the result of the last proof"
)
def docs(*, only_check: bool, record: bool) -> None:
    """Write the generated pages: docs/controls/, docs/coverage.md, docs/detections.md."""
    root = Path.cwd()
    try:
        catalogue = load_catalogue(root)
        if record and read_detections(root / "reports/detections.json"):
            shutil.copyfile(root / "reports/detections.json", root / generated.MATRIX)
        touched = generated.stale(catalogue) if only_check else generated.write(catalogue)
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    for path in touched:
        click.echo(f"{'out of date' if only_check else 'written'}: {path}")
    if touched and only_check:
        raise click.ClickException("run make docs")


@main.command()
@click.argument("control")
def new(control: str) -> None:
    """Write the three files of a new CONTROL, red by design."""
    if not CONTROL_ID.fullmatch(control):
        raise click.ClickException(f"{control}: is no control id; write it as SEC-12")
    word = control.lower().replace("-", "_")
    targets = [Path.cwd() / path for path in names(control)]
    for target, text in zip(targets, (POLICY, TEST, VIOLATION), strict=True):
        if target.exists():
            click.echo(f"is there already: {target.relative_to(Path.cwd())}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.format(id=control, word=word), encoding="utf-8")
        click.echo(f"written: {target.relative_to(Path.cwd())}")


@main.command()
def report() -> None:
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


@main.command(name="verify")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def verify_files(files: tuple[Path, ...]) -> None:
    """Check the hash chain of evidence FILES and print the hash of the last line."""
    for path in files:
        try:
            count, head = verify(read_lines(path))
        except AssayError as problem:
            raise click.ClickException(f"{path.name}: {problem}") from problem
        click.echo(f"{path.name}: {count} lines, unbroken, head {head}")


@main.group()
def drill() -> None:
    """Restore and failure drills: what they would break, run one, put back what one left."""


@drill.command()
@click.argument("name", required=False, type=click.Choice(sorted(DRILLS)))
@click.option("--stack", help="stack profile")
def plan(name: str | None, stack: str | None) -> None:
    """Say what a drill breaks and how that is put back, and whether the stack is fit for it now."""
    for one, known in sorted(DRILLS.items()):
        if name in (None, one):
            click.echo(f"{one} ({known.control}, about {known.minutes} min)")
            click.echo(f"  breaks: {known.breaks}\n  back:   {known.back}")
    try:
        found = list(conditions(find_profile(stack)))
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    for what, why in found:
        click.echo(f"  {'NO' if why else 'ok':3} {what}{f': {why}' if why else ''}")
    sys.exit(1 if any(why for _, why in found) else 0)


@drill.command(name="run")
@click.argument("name", type=click.Choice(sorted(DRILLS)))
@click.option("--execute", is_flag=True, help="really break it; without this nothing is done")
@click.option("--stack", help="stack profile")
@click.pass_context
def run_drill(context: click.Context, name: str, stack: str | None, *, execute: bool) -> None:
    """Carry out a drill by the control that judges it, with evidence and a verdict."""
    if not execute:
        click.echo("nothing is done without --execute; this is the plan")
        context.invoke(plan, name=name, stack=stack)
    else:
        os.environ[ASKED] = name
        context.invoke(check, stack=stack, tiers=("drill",), controls=(DRILLS[name].control,), jobs=1)


@drill.command()
@click.option("--stack", help="stack profile")
def status(stack: str | None) -> None:
    """Say how far the drills are: the stage, what is not put back, the next command."""
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


@drill.command()
@click.option("--stack", help="stack profile")
def rate(stack: str | None) -> None:
    """Say of each service how it was restored, and how large its data may grow within the objective."""
    from assay.drills.restore.capacity import capacity_statement
    from assay.drills.restore.records import Records

    try:
        records = Records.from_profile(find_profile(stack))
        limits = load_catalogue(Path.cwd()).controls["ACC-07"].limits
        limit = next(one.value for one in limits if one.metric == "restore" and one.value is not None)
        for service in sorted(records.newest()):
            for one in records.of(service):
                click.echo(f"{service}: {one.data_bytes / 1e6:.3g} MB in {one.measured:.1f} s")
            click.echo(
                f"{service}: largest size in {limit:.0f} s: {capacity_statement(records.of(service), limit)}"
            )
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem


@drill.command()
@click.option("--stack", help="stack profile")
@click.option("--after", "holder", metavar="PID:START", help="wait until this process has ended")
@click.option("--limit", default=LIMIT, show_default=True, help="seconds after which it is told to end")
def rollback(stack: str | None, holder: str | None, limit: float) -> None:
    """Put back whatever a killed drill left; the watchdog of every drill is this, with --after."""
    try:
        profile = find_profile(stack)
        if holder:
            after(holder, limit)
        for target in roll_back(profile):
            click.echo(f"back: {target}")
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo("nothing is left of a drill")


if __name__ == "__main__":
    main()
