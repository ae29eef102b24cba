"""Every command says what it does, with an example that its own parser accepts."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from assay.cli import main


def leaves(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from leaves(inner, (*path, name))


COMMANDS = dict(leaves(main))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_help_text_has_an_example_that_parses(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that an example names are made first: some options want them to exist."""
    command = COMMANDS[path]
    done = CliRunner().invoke(main, [*path, "--help"])
    assert done.exit_code == 0
    assert command.help
    assert (command.epilog or "").startswith("Example: assay ")
    words = shlex.split(str(command.epilog).removeprefix("Example: assay ").split(" &&")[0])
    known: click.Command = main
    context = click.Context(main)
    while isinstance(known, click.Group) and words:
        inner = known.get_command(context, words.pop(0))
        assert inner is not None
        known = inner
    monkeypatch.chdir(tmp_path)
    for word in words:
        (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / word).touch()
    known.make_context("assay", words)


def test_the_first_line_says_what_it_is_for() -> None:
    done = CliRunner().invoke(main, ["--help"])
    assert "Run acceptance controls against a platform and manage their documentation." in done.output
    assert {"check", "docs", "drill", "new", "prove", "report", "verify"} <= set(done.output.split())


def test_an_unknown_command_is_refused_and_the_module_can_be_run() -> None:
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli", "new", "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage:" in done.stdout
