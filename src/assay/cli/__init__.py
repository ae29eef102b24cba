"""The command line, `assay`; each command is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click


COMMANDS = {
    "check": "assay.cli.check",
    "diff": "assay.cli.report",
    "docs": "assay.cli.contribute",
    "doctor": "assay.cli.preflight",
    "drill": "assay.cli.drill",
    "init": "assay.cli.preflight",
    "new": "assay.cli.contribute",
    "prove": "assay.cli.check",
    "report": "assay.cli.report",
    "requests": "assay.cli.report",
    "rights": "assay.cli.rights",
    "samples": "assay.cli.samples",
    "verify": "assay.cli.report",
}


class Commands(click.Group):
    """The commands by name, each in the module that COMMANDS says."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command called `cmd_name`, None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), f"{cmd_name}_command")
        return command


@click.command(
    cls=Commands,
    context_settings={"max_content_width": 110},
    epilog="Example: assay check --stack stacks/mine.local.toml --tier static",
)
def main() -> None:
    """Run acceptance controls against a platform and manage their documentation."""
