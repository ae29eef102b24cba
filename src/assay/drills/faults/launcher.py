"""The launcher of a profile: the program that takes nodes of a lab away and brings them back."""

from __future__ import annotations

import os
import shlex

from assay.config.profile import Profile
from assay.errors import GuardError, ProbeError
from assay.formats.tools import run_tool


class Launcher:
    """Runs `<launcher> node VERB NAME`: `kill`, `start`, `lose-disk` and what else it knows."""

    def __init__(self, command: str, seconds: float = 90.0) -> None:
        """Drive `command`, split as a shell would; `seconds` is the time limit of one call."""
        self._command = shlex.split(command)
        self._seconds = seconds

    @classmethod
    def from_profile(cls, profile: Profile) -> Launcher:
        """Return the launcher that `profile` names.

        Raises:
            ProbeError: it names none.
        """
        return cls(profile.need_text("drill.launcher"))

    def line(self, verb: str, node: str) -> str:
        """Return the command as somebody would type it."""
        return shlex.join([*self._command, "node", verb, node])

    def do(self, verb: str, node: str) -> None:
        """Run `<launcher> node <verb> <node>`.

        Raises:
            GuardError: the launcher failed.
        """
        what, argv = f"the launcher did not {verb} {node}", [*self._command, "node", verb, node]
        try:
            # It is the platform's own program: it may need its credentials from the environment.
            done = run_tool(argv, self._seconds, what, remedy="check launcher under [drill]", env=os.environ)
        except ProbeError as why:
            raise GuardError(why.message, why.remedy) from why
        if done.code:
            raise GuardError(f"{what}: {done.last_line[:200]}", "start the node by hand")
