"""The launcher of a profile: what cuts the power of nodes and starts them; see docs/launcher.md."""

from __future__ import annotations

import os
import shlex

from assay.config.profile import Profile
from assay.errors import GuardError, ProbeError
from assay.formats.tools import run_tool


REMEDY = "check launcher and its times under [drill]"


class Launcher:
    """Runs `<launcher> node VERB NAME`: `kill` and `start`; a lab's knows `lose-disk` and more."""

    def __init__(self, command: str, timeout_s: float) -> None:
        """Drive `command`, split as a shell would; one call takes no longer than `timeout_s`."""
        self._command = shlex.split(command)
        self._timeout_s = timeout_s

    @classmethod
    def from_profile(cls, profile: Profile) -> Launcher:
        """Return the launcher that `profile` names.

        Raises:
            ProbeError: it names none.
        """
        return cls(profile.need_text("drill.launcher"), profile.drill.launch_s)

    def line(self, verb: str, node: str) -> str:
        """Return the command as a person would type it."""
        return shlex.join([*self._command, "node", verb, node])

    def do(self, verb: str, node: str) -> None:
        """Run `<launcher> node <verb> <node>`.

        Raises:
            GuardError: the launcher failed.
        """
        what, argv = f"the launcher did not {verb} {node}", [*self._command, "node", verb, node]
        try:
            # It is the platform's own program: it may need its credentials from the environment.
            done = run_tool(
                argv, self._timeout_s, what, remedy="check launcher under [drill]", env=os.environ
            )
        except ProbeError as why:
            raise GuardError(why.message, why.remedy) from why
        if done.code:
            raise GuardError(f"{what}: {done.last_line[:200]}", "start the node by hand")
