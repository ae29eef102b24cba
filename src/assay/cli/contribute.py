"""`assay new` and `assay docs`: what somebody needs who adds a control."""

from __future__ import annotations

import os
from pathlib import Path

import click

from assay.catalogue import CONTROL_ID, load_catalogue, names
from assay.errors import AssayError
from assay.run import pages


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
from assay.stack import ReadStack


@pytest.mark.control("{id}")
def test_{word}(stack: ReadStack, control: Record) -> None:
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


@click.command(name="docs", epilog="Example: assay docs --check")
@click.option("--check", "only_check", is_flag=True, help="write nothing; exit 1 if a page is out of date")
@click.option(
    "--record",
    is_flag=True,
    help="first take in reports/detections.json, what the last proof caught and named",
)
def docs_command(*, only_check: bool, record: bool) -> None:
    """Write the generated pages: docs/controls/, docs/coverage.md, docs/detections.md."""
    root = Path.cwd()
    try:
        catalogue = load_catalogue(root)
        if record:
            pages.record(
                catalogue, Path(os.environ.get("ASSAY_REPORTS") or root / "reports") / "detections.json"
            )
        touched = pages.stale(catalogue) if only_check else pages.write(catalogue)
    except AssayError as problem:
        raise click.ClickException(str(problem)) from problem
    for path in touched:
        click.echo(f"{'out of date' if only_check else 'written'}: {path}")
    if touched and only_check:
        raise click.ClickException("run make docs")


@click.command(name="new", epilog="Example: assay new SEC-12")
@click.argument("control")
def new_command(control: str) -> None:
    """Write the three files of a new CONTROL; its test fails until it is filled in."""
    if not CONTROL_ID.fullmatch(control):
        raise click.ClickException(f"{control}: not a control id - write it as SEC-12")
    word = control.lower().replace("-", "_")
    targets = [Path.cwd() / path for path in names(control)]
    for target, text in zip(targets, (POLICY, TEST, VIOLATION), strict=True):
        if target.exists():
            click.echo(f"exists already: {target.relative_to(Path.cwd())}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.format(id=control, word=word), encoding="utf-8")
        click.echo(f"written: {target.relative_to(Path.cwd())}")
