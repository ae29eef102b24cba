"""DR-05: every command of the runbook exists in the pinned version of its tool."""

import pytest

from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("DR-05")
def test_runbook_commands_exist(stack: ReadStack, control: Record) -> None:
    """Judge every command by the command tree, or the help, of the binary that the platform pins."""
    runbook = stack.runbook
    commands = control.population(runbook.judged())
    control.offenders(runbook.mistakes())
    for tool, number in runbook.unjudged().items():
        control.note(f"not judged: {tool}", f"{number} commands: no binary under [tools.more]")
    if any(command.tool == "talosctl" for command in commands):
        found, pinned = runbook.version("talosctl"), stack.profile.talos.version
        control.note("talosctl", found)
        control.assume(pinned in ("", found), f"talosctl is {found}, the platform pins {pinned}")
    assert not control.found
