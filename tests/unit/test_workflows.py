"""The workflows parse, and every command in them exists: a nightly that cannot start proves nothing."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from assay.cli import main as assay
from lab.cli import main as lab


ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS = {"assay": assay, "assay.cli": assay, "lab": lab}


def steps(file: Path) -> list[dict[str, Any]]:
    """Return every step of every job of a workflow."""
    jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def unknown(line: str) -> str:
    """Return what of a command does not exist here, empty where all does."""
    program, *words = shlex.split(line)
    if program == "make":
        return ", ".join(set(words) - TARGETS)
    if program.endswith("/python"):
        program, words = words[1], words[2:]
    name = program.rsplit("/", 1)[-1]
    if name not in COMMANDS:
        return "" if (ROOT / program).is_file() else program
    command: click.Command = COMMANDS[name]
    try:
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            if found is None:
                return line
            command = found
        command.make_context(name, words, resilient_parsing=False)
    except (click.ClickException, IndexError) as problem:
        return f"{line}: {problem}"
    return ""


@pytest.mark.parametrize("file", FILES, ids=lambda one: one.name)
def test_every_command_of_a_workflow_exists(file: Path) -> None:
    lines = [line for step in steps(file) for line in str(step.get("run", "")).splitlines() if line.strip()]
    assert lines
    assert [why for line in lines if (why := unknown(line))] == []


@pytest.mark.parametrize(
    "line",
    ["make nothing-of-the-kind", "assay chek", "assay check --jbos 2", "python -m lab up", ".ci/nothing"],
)
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    assert unknown(line.replace("python -m lab up", ".venv/bin/python -m lab up --names nobody"))


def test_both_platforms_are_judged_and_proved_every_night() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "nightly.yml").read_text())["jobs"]
    assert {"make accept", "make prove"} <= {step.get("run") for step in jobs["lab"]["steps"]}
    assert {"make other", "make other-prove"} <= {step.get("run") for step in jobs["other"]["steps"]}
